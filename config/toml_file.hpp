// A TOML file as a flat list of what it sets, each with its line. Knows no key. Internal to config/.
//
// The parser's own messages quote what they stumble over, which may be half a password: the quotes are cut out of them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/value.hpp"

namespace mongocached::config {

struct toml_entry {
  std::string section;    // "listen"; empty: at the top of the file
  std::size_t index = 0;  // which [[section]], from 1; 0: a plain [section]
  std::string key;
  raw_value value;
  std::size_t line = 0;
};

struct toml_table {
  std::string section;
  std::size_t index = 0;
  std::size_t line = 0;
};

struct toml_file {
  std::vector<toml_entry> entries;
  std::vector<toml_table> tables;  // every [section] and [[section]]
  std::string fault;               // not empty: the file is no TOML, nothing else is filled in
  std::size_t fault_line = 0;
};

// `text` is the file's whole content.
[[nodiscard]] toml_file parse_toml(std::string_view text);

struct file_content {
  std::string text;
  std::string why;  // not empty: cannot be read
};

// At most `limit` bytes; a longer file, a directory and a file that may not be read are refused.
[[nodiscard]] file_content read_file(const std::string& path, std::size_t limit);

}  // namespace mongocached::config
