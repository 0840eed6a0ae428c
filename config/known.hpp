// Which names exist, and which of them an unknown one was probably meant to be. Internal to config/.
#pragma once

#include <string>
#include <string_view>

namespace mongocached::config {

inline constexpr std::string_view environment_prefix = "MONGOCACHED_";
inline constexpr std::string_view environment_file_suffix = "_FILE";

[[nodiscard]] bool is_known(std::string_view section, std::string_view key);

// The section that does have a key of this name ("listen.address"); else the nearest key of the same section; else of
// any.
[[nodiscard]] std::string nearest_key(std::string_view section, std::string_view key);

[[nodiscard]] std::string nearest_section(std::string_view name);

// Also true for what Kubernetes and Docker set for a service whose name begins with mongocached: not meant for us, no
// fault.
[[nodiscard]] bool is_known_environment(std::string_view name, std::string_view text);

[[nodiscard]] std::string nearest_environment(std::string_view name);

}  // namespace mongocached::config
