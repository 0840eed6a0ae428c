#include "config/print.hpp"

#include "config/keys.hpp"

namespace mongocached::config {
namespace {

std::string comment(const origin& o) {
  switch (o.from) {
    case source::default_value:
      return "default";
    case source::file:
      return "file " + o.where;
    case source::environment:
      return "environment " + o.where;
    case source::flag:
      return "flag " + o.where;
  }
  return {};
}

std::string line(std::string_view name, const std::string& text, const result& from, const std::string& key) {
  const auto found = from.origins.find(key);
  const auto where = comment(found == from.origins.end() ? origin{} : found->second);
  return std::string{name} + " = " + text + "  # " + where + "\n";
}

std::string element_name(std::string_view section, std::size_t i, std::string_view name) {
  return std::string{section} + "[" + std::to_string(i + 1) + "]." + std::string{name};
}

template <class Element>
void print_elements(std::string& out, const result& from, std::span<const element_key<Element>> table,
                    const std::vector<Element>& elements) {
  for (std::size_t i = 0; i < elements.size(); ++i) {
    out += "\n[[" + std::string{table.front().section} + "]]\n";
    for (const auto& k : table) {
      const auto v = k.get(elements[i]);
      if (v) out += line(k.name, to_toml(k.spec, *v), from, element_name(k.section, i, k.name));
    }
  }
}

template <class Element>
void describe_elements(std::vector<std::pair<std::string, std::string>>& out,
                       std::span<const element_key<Element>> table, const std::vector<Element>& elements) {
  for (std::size_t i = 0; i < elements.size(); ++i) {
    for (const auto& k : table) {
      const auto v = k.get(elements[i]);
      if (v) out.emplace_back(element_name(k.section, i, k.name), to_plain(k.spec, *v));
    }
  }
}

}  // namespace

std::string print_config(const result& from) {
  std::string out;
  for (const auto& s : sections()) {
    if (s.array) continue;
    out += (out.empty() ? "[" : "\n[") + std::string{s.name} + "]\n";
    for (const auto& k : keys()) {
      if (k.section != s.name) continue;
      out += line(k.name, to_toml(k.spec, k.get(from.settings)), from, full_name(k));
    }
  }
  print_elements(out, from, collection_keys(), from.settings.collections);
  print_elements(out, from, user_keys(), from.settings.users);
  return out;
}

std::vector<std::pair<std::string, std::string>> describe(const settings& of) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& k : keys()) out.emplace_back(full_name(k), to_plain(k.spec, k.get(of)));
  describe_elements(out, collection_keys(), of.collections);
  describe_elements(out, user_keys(), of.users);
  return out;
}

}  // namespace mongocached::config
