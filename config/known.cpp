#include "config/known.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "config/keys.hpp"
#include "config/nearest.hpp"

namespace mongocached::config {
namespace {

std::vector<std::string> names_of(std::string_view section) {
  std::vector<std::string> out;
  const auto add = [&](const auto& table) {
    for (const auto& k : table) {
      if (k.section != section) continue;
      out.emplace_back(k.name);
      if (!k.file_name.empty()) out.emplace_back(k.file_name);
    }
  };
  add(keys());
  add(collection_keys());
  add(user_keys());
  return out;
}

std::vector<std::string> environment_names() {
  std::vector<std::string> out;
  for (const auto& k : keys()) out.push_back(environment_name(k));
  return out;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// MONGOCACHED_SERVICE_HOST, MONGOCACHED_PORT=tcp://..., MONGOCACHED_PORT_27017_TCP_ADDR, ... A guess at a key of ours,
// such as MONGOCACHED_LISTEN_PORT=27017, is not among them.
bool is_service_link(std::string_view name, std::string_view text) {
  constexpr auto npos = std::string_view::npos;
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != npos) return true;
  if (name.ends_with("_PORT")) return text.find("://") != npos;
  const auto port = name.find("_PORT_");
  const auto digit = port + std::string_view{"_PORT_"}.size();
  return port != npos && digit < name.size() && name[digit] >= '0' && name[digit] <= '9';
}

}  // namespace

bool is_known(std::string_view section, std::string_view key) {
  return contains(names_of(section), key);
}

std::string nearest_key(std::string_view section, std::string_view key) {
  std::vector<std::string> all;
  for (const auto& s : sections()) {
    for (const auto& candidate : names_of(s.name)) {
      auto full = std::string{s.name} + "." + candidate;
      if (candidate == key) return full;
      all.push_back(std::move(full));
    }
  }
  const auto own = names_of(section);
  if (!own.empty()) return std::string{section} + "." + nearest(key, own);
  return nearest(key, all);
}

std::string nearest_section(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& s : sections()) names.emplace_back(s.name);
  return nearest(name, names);
}

bool is_known_environment(std::string_view name, std::string_view text) {
  const auto known = environment_names();
  if (contains(known, name)) return true;
  auto base = name;
  if (base.ends_with(environment_file_suffix)) base.remove_suffix(environment_file_suffix.size());
  return contains(known, base) || is_service_link(name, text);
}

std::string nearest_environment(std::string_view name) {
  const auto known = environment_names();
  if (!name.ends_with(environment_file_suffix)) return nearest(name, known);
  name.remove_suffix(environment_file_suffix.size());
  return nearest(name, known) + std::string{environment_file_suffix};
}

}  // namespace mongocached::config
