// What is said about settings: --print-config, the sample file, the reference, the status page. Passwords are masked
// everywhere.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"

namespace mongocached::config {

// The effective settings as TOML, behind each where it came from. Also of a result with faults: what was understood.
[[nodiscard]] std::string print_config(const result& from);

// The annotated sample: every key with its meaning and default, commented out where there is a default.
// config/mongocached.toml.
[[nodiscard]] std::string sample();

// The tables of docs/configuration.md, in Markdown.
[[nodiscard]] std::string reference();

// Every key with its value as plain text, "listen.address" first; "collection[1].ttl", "user[1].name" after the plain
// ones.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe(const settings& of);

}  // namespace mongocached::config
