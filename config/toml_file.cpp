#include "config/toml_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace mongocached::config {
namespace {

// toml++ 3.3 builds a table a part of a dotted key without a limit, and takes them down again by recursion. Our keys
// have two.
constexpr std::size_t most_dots = 16;

// Line numbers start at 1; 0: no line has too many dots outside quotes.
std::size_t line_of_too_many_dots(std::string_view text) {
  std::size_t line = 1;
  std::size_t dots = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
      if (i < text.size() && text[i] == '\n') --i;  // an escaped end of line is still one
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '.' && ++dots > most_dots) {
      return line;
    }
  }
  return 0;
}

std::string without_quotes(std::string_view message) {
  const auto first = message.find('\'');
  if (first == std::string_view::npos) return std::string{message};
  const auto last = message.rfind('\'');
  return std::string{message.substr(0, first)} + "'...'" + std::string{message.substr(last + 1)};
}

std::string_view name_of_type(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a date";
    default:
      return "of another type";
  }
}

raw_value raw_of(const toml::node& node) {
  raw_value out;
  if (const auto* text = node.as_string()) {
    out.written_as = raw_value::type::string;
    out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.written_as = raw_value::type::integer;
    out.integer = integer->get();
    out.text = std::to_string(out.integer);
  } else if (const auto* number = node.as_floating_point()) {
    out.written_as = raw_value::type::number;
    out.number = number->get();
    out.text = std::to_string(out.number);
  } else if (const auto* boolean = node.as_boolean()) {
    out.written_as = raw_value::type::boolean;
    out.boolean = boolean->get();
    out.text = out.boolean ? "true" : "false";
  } else {
    out.written_as = raw_value::type::other;
    out.other_type = name_of_type(node.type());
  }
  return out;
}

std::size_t line_of(const toml::node& node) {
  return node.source().begin.line;
}

void add_table(toml_file& out, const std::string& section, std::size_t index, const toml::table& table) {
  out.tables.push_back({section, index, line_of(table)});
  for (const auto& [name, node] : table) {
    out.entries.push_back({section, index, std::string{name.str()}, raw_of(node), line_of(node)});
  }
}

void add(toml_file& out, const toml::table& root) {
  for (const auto& [name, node] : root) {
    const std::string section{name.str()};
    const auto* array = node.as_array();
    const bool tables = array != nullptr && !array->empty() &&
                        std::all_of(array->begin(), array->end(), [](const toml::node& n) { return n.is_table(); });
    if (const auto* table = node.as_table()) {
      add_table(out, section, 0, *table);
    } else if (tables) {
      std::size_t index = 0;
      for (const auto& element : *array) add_table(out, section, ++index, *element.as_table());
    } else {
      out.entries.push_back({{}, 0, section, raw_of(node), line_of(node)});
    }
  }
}

}  // namespace

toml_file parse_toml(std::string_view text) {
  toml_file out;
  if (const auto line = line_of_too_many_dots(text); line != 0) {
    out.fault = "a key of too many parts";
    out.fault_line = line;
    return out;
  }
  try {
    add(out, toml::parse(text));
  } catch (const toml::parse_error& error) {
    out.fault = without_quotes(error.description());
    out.fault_line = error.source().begin.line;
  }
  std::stable_sort(out.entries.begin(), out.entries.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  return out;
}

file_content read_file(const std::string& path, std::size_t limit) {
  if (path.empty()) return {{}, "the name is empty"};
  if (path.find('\0') != std::string::npos) return {{}, "the name holds a NUL"};
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return {{}, "is a directory"};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "rb"), &std::fclose};
  if (!file) return {{}, std::generic_category().message(errno)};
  file_content out;
  out.text.resize(limit + 1);
  out.text.resize(std::fread(out.text.data(), 1, out.text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return {{}, "cannot be read"};
  if (out.text.size() > limit) return {{}, "is longer than " + print_size(limit)};
  return out;
}

}  // namespace mongocached::config
