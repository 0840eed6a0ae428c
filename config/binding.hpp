// How a row of the key table reaches its member of `settings`: a pair of plain functions made from pointers to members.
// Internal to config/.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "config/settings.hpp"
#include "config/value.hpp"

namespace mongocached::config::detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
void from_value(T& member, const value& v) {
  if constexpr (is_optional<T>) {
    if (std::holds_alternative<std::monostate>(v)) {
      member.reset();
    } else {
      from_value(member.emplace(), v);
    }
  } else if constexpr (std::is_same_v<T, uri> || std::is_same_v<T, secret>) {
    member = T{std::get<std::string>(v)};
  } else if constexpr (std::is_enum_v<T> || (std::is_integral_v<T> && !std::is_same_v<T, bool>)) {
    member = static_cast<T>(std::get<std::uint64_t>(v));
  } else {
    member = std::get<T>(v);
  }
}

template <class T>
value to_value(const T& member) {
  if constexpr (is_optional<T>) {
    return member ? to_value(*member) : value{};
  } else if constexpr (std::is_same_v<T, uri> || std::is_same_v<T, secret>) {
    return member.reveal();
  } else if constexpr (std::is_enum_v<T> || (std::is_integral_v<T> && !std::is_same_v<T, bool>)) {
    return static_cast<std::uint64_t>(member);
  } else {
    return member;
  }
}

template <auto Section, auto Member>
void assign(settings& s, const value& v) {
  from_value((s.*Section).*Member, v);
}

template <auto Section, auto Member>
value get(const settings& s) {
  return to_value((s.*Section).*Member);
}

template <class Element, auto Member>
void assign_element(Element& element, const value& v) {
  from_value(element.*Member, v);
}

// An optional member that is not set gives nothing; so does an empty secret, which stands for "not given".
template <class Element, auto Member>
std::optional<value> get_element(const Element& element) {
  const auto& member = element.*Member;
  using type = std::remove_cvref_t<decltype(member)>;
  if constexpr (is_optional<type>) {
    if (!member) return std::nullopt;
  } else if constexpr (std::is_same_v<type, secret>) {
    if (member.empty()) return std::nullopt;
  }
  return to_value(member);
}

}  // namespace mongocached::config::detail
