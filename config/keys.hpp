// The one table of all keys. Internal to config/. Adding a key: a member in settings.hpp and a row in keys.cpp;
// parsing, checking of ranges, environment name, printing, suggestions, the annotated sample and docs/configuration.md
// follow from the row.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "config/value.hpp"

namespace mongocached::config {

// When a new value of a key takes effect.
enum class renewal : std::uint8_t {
  at_reload,
  at_restart,
  unless_set_or_unset,  // at a reload; but from nothing to something, or back, at a restart
};

struct key {
  std::string_view section{};
  std::string_view name{};
  value_spec spec{};
  std::string_view meaning{};     // one or two sentences
  std::string_view zero{};        // what 0, "", "none" or false means, where that is worth a word
  std::string_view flag{};        // "--listen"; empty: none
  std::string_view flag_value{};  // "HOST:PORT"
  std::string_view example{};     // as TOML, active in the sample: of the keys that have no default
  std::string_view file_name{};   // "token_file": a key of the same section that names a file to read the value from
  renewal renewed = renewal::at_reload;

  void (*assign)(settings&, const value&) = nullptr;
  value (*get)(const settings&) = nullptr;
};

// A key of [[collection]] or [[user]]; the target is the element. `get` is empty where a rule does not set the key.
template <class Element>
struct element_key {
  std::string_view section{};
  std::string_view name{};
  value_spec spec{};
  std::string_view meaning{};
  bool required = false;
  std::string_view file_name{};

  void (*assign)(Element&, const value&) = nullptr;
  std::optional<value> (*get)(const Element&) = nullptr;
};

struct section_info {
  std::string_view name;
  std::string_view meaning;
  bool array = false;  // [[name]]
};

[[nodiscard]] std::span<const section_info> sections();
[[nodiscard]] std::span<const key> keys();
[[nodiscard]] std::span<const element_key<collection_rule>> collection_keys();
[[nodiscard]] std::span<const element_key<user>> user_keys();

[[nodiscard]] std::string full_name(const key& k);         // "listen.address"
[[nodiscard]] std::string environment_name(const key& k);  // "MONGOCACHED_LISTEN_ADDRESS"

}  // namespace mongocached::config
