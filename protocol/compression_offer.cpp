#include "protocol/compression_offer.hpp"

#include <algorithm>

namespace mongocached::protocol {

compressor_list compressor_list::in(bson_view hello) noexcept {
  compressor_list out;
  const auto field = hello.find("compression");
  const auto names = field ? field->array() : std::nullopt;
  if (!names) return out;
  bson_element name;
  for (bson_cursor cursor(*names); cursor.next(name);) out.add(compressor_named(name.text().value_or("")));
  return out;
}

void compressor_list::add(compressor one) noexcept {
  if (one != compressor::none && !contains(one)) all_[size_++] = one;
}

bool compressor_list::contains(compressor one) const noexcept {
  return std::ranges::find(all(), one) != all().end();
}

compressor_list compressor_list::also_in(const compressor_list& others) const noexcept {
  compressor_list out;
  for (const auto one : all()) {
    if (others.contains(one)) out.add(one);
  }
  return out;
}

void compressor_list::append_to(bson_builder& hello) const {
  if (empty()) return;
  auto list = hello.open_array("compression");
  constexpr std::array<std::string_view, 3> positions{"0", "1", "2"};
  for (std::size_t i = 0; i < size_; ++i) list.append_string(positions[i], name_of(all_[i]));
}

bool may_be_compressed(std::string_view command) noexcept {
  constexpr std::array<std::string_view, 12> never{"hello",        "isMaster",        "ismaster",       "saslStart",
                                                   "saslContinue", "getnonce",        "authenticate",   "createUser",
                                                   "updateUser",   "copydbSaslStart", "copydbgetnonce", "copydb"};
  return !command.empty() && std::ranges::find(never, command) == never.end();
}

}  // namespace mongocached::protocol
