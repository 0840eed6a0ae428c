// A closed set of names known at compile time, with a value each: looked up by length first, so that a look-up compares
// one or two names. No allocation, no static initialisation.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace mongocached::cache {

template <class Value>
struct named {
  std::string_view name;
  Value value;
};

template <class Value, std::size_t N>
class name_table {
 public:
  constexpr explicit name_table(const std::array<named<Value>, N>& items) : items_(items) {
    std::sort(items_.begin(), items_.end(), [](const auto& a, const auto& b) { return a.name.size() < b.name.size(); });
    for (std::size_t i = 0; i < N; ++i) ends_[items_[i].name.size()] = i + 1;
    for (std::size_t length = 1; length <= max_length; ++length) {
      if (ends_[length] == 0) ends_[length] = ends_[length - 1];
    }
  }

  // The value of that name, or none. Points into the table.
  [[nodiscard]] constexpr const Value* find(std::string_view name) const noexcept {
    if (name.empty() || name.size() > max_length) return nullptr;
    for (auto i = ends_[name.size() - 1]; i < ends_[name.size()]; ++i) {
      // The first letter mostly tells, without a call.
      if (items_[i].name[0] == name[0] && items_[i].name == name) return &items_[i].value;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t max_length = 48;
  std::array<named<Value>, N> items_;
  std::array<std::size_t, max_length + 1> ends_{};  // by length: index behind the last name of that length or less
};

}  // namespace mongocached::cache
