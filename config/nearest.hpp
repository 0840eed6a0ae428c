// The known name that an unknown one was probably meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mongocached::config {

// By edit distance (insert, delete, replace, swap of neighbours), letters compared without case; the first of equals.
// Empty when `known` is. Never suggests nothing for being far away: the list of what exists is short and always helps.
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string> known);

}  // namespace mongocached::config
