#include "config/load.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "config/check.hpp"
#include "config/keys.hpp"
#include "config/known.hpp"
#include "config/toml_file.hpp"

namespace mongocached::config {
namespace {

constexpr std::size_t config_file_limit = 1 << 20;
constexpr std::size_t value_file_limit = 64 << 10;

// The value as a fault may show it.
std::string shown(const value_spec& spec, const raw_value& raw) {
  if (is_secret(spec.kind)) return "***";
  if (raw.written_as == raw_value::type::other) return std::string{raw.other_type};
  const bool is_text = raw.written_as == raw_value::type::string || raw.written_as == raw_value::type::untyped;
  if (!is_text) return raw.text;
  const bool is_uri = spec.kind == value_kind::upstream_uri || spec.kind == value_kind::redis_uri;
  return in_quotes_short(is_uri ? mask_uri(raw.text) : raw.text);
}

raw_value untyped(std::string text) {
  raw_value out;
  out.text = std::move(text);
  return out;
}

// A path or a name inside a line: escaped, without the quotes.
std::string plain(std::string_view text) {
  const auto out = in_quotes_short(text);
  const auto end = out.rfind('"');
  return out.substr(1, end - 1) + out.substr(end + 1);
}

class loader {
 public:
  explicit loader(const options& from) : from_(from) {}

  result run() {
    out_.inherited = from_.inherited;
    for (const auto& k : keys()) out_.origins[full_name(k)] = {};
    read();
    sections_of_file();
    // Weakest source first, so that what comes later wins.
    for (const auto& k : keys()) {
      take_file(k);
      take_environment(k);
      take_flag(k);
    }
    unknown_keys();
    unknown_environment();
    unknown_flags();
    elements<collection_rule>("collection", collection_keys(), out_.settings.collections);
    elements<user>("user", user_keys(), out_.settings.users);
    check_together(out_, bad_);
    return std::move(out_);
  }

 private:
  // ---- faults

  void fault(std::string key, std::string_view text) {
    const auto line = plain_key(key) + std::string{text};
    bad_.insert(key);
    out_.faults.push_back({std::move(key), mask_text(line)});
  }

  static std::string plain_key(std::string_view key) { return key.empty() ? std::string{} : plain(key); }

  std::string at(std::size_t line) const { return plain(from_.file.value_or("")) + ":" + std::to_string(line); }

  // Takes a value, or says why not. True if it was taken.
  template <class Assign>
  bool take(const std::string& key, const value_spec& spec, const raw_value& raw, const std::string& where,
            Assign assign) {
    auto parsed = parse(spec, raw);
    if (!parsed.result) {
      fault(key, " = " + shown(spec, raw) + " (" + where + "): " + parsed.why + "; allowed: " + allowed(spec));
      return false;
    }
    assign(*parsed.result);
    return true;
  }

  void take(const key& k, const raw_value& raw, source from, std::string where) {
    const auto name = full_name(k);
    if (take(name, k.spec, raw, where, [&](const value& v) { k.assign(out_.settings, v); })) {
      out_.origins[name] = {from, std::move(where)};
    }
  }

  // The content of a file that a key names. `where` says who names it.
  std::optional<raw_value> value_of_file(const std::string& key, const std::string& path, const std::string& where) {
    auto file = read_file(path, value_file_limit);
    if (!file.why.empty()) {
      fault(key,
            " (" + where + " = " + in_quotes_short(path) + "): " + file.why + "; allowed: a file that can be read");
      return std::nullopt;
    }
    if (file.text.ends_with('\n')) file.text.pop_back();
    if (file.text.ends_with('\r')) file.text.pop_back();
    return untyped(std::move(file.text));
  }

  // ---- the file

  void read() {
    if (!from_.file) return;
    const auto content = read_file(*from_.file, config_file_limit);
    if (!content.why.empty()) {
      fault({}, "--config = " + in_quotes_short(*from_.file) + ": " + content.why +
                    "; allowed: a TOML file that can be read");
      return;
    }
    file_ = parse_toml(content.text);
    if (!file_.fault.empty()) fault({}, at(file_.fault_line) + ": no TOML: " + plain(file_.fault));
    for (const auto& entry : file_.entries) entries_[{entry.section, entry.index, entry.key}] = &entry;
  }

  void sections_of_file() {
    std::set<std::string> told;
    for (const auto& [name, index, line] : file_.tables) {
      const auto known = sections();
      const auto found = std::find_if(known.begin(), known.end(), [&](const auto& s) { return s.name == name; });
      if (found == known.end()) {
        if (!told.insert(name).second) continue;
        fault(name, " (" + at(line) + "): no such section; the nearest is [" + nearest_section(name) + "]");
        ignored_.insert(name);
      } else if (found->array != (index != 0)) {
        if (!told.insert(name).second) continue;
        const auto wanted = found->array ? "[[" + name + "]]" : "[" + name + "]";
        fault(name, " (" + at(line) + "): wrong brackets; allowed: " + wanted);
        ignored_.insert(name);
      }
    }
  }

  const toml_entry* find(std::string_view section, std::size_t index, std::string_view name) const {
    if (ignored_.contains(section)) return nullptr;
    const auto found = entries_.find({section, index, name});
    return found == entries_.end() ? nullptr : found->second;
  }

  // The value of key `name`, given directly or by the file that key `file_name` names.
  std::optional<std::pair<raw_value, std::string>> entry_value(const std::string& key, std::string_view section,
                                                               std::size_t index, std::string_view name,
                                                               std::string_view file_name) {
    const auto* direct = find(section, index, name);
    const auto* by_file = file_name.empty() ? nullptr : find(section, index, file_name);
    if (direct != nullptr && by_file != nullptr) {
      fault(key, " = *** (" + at(direct->line) + "): " + std::string{file_name} + " is set as well (" +
                     at(by_file->line) + "); allowed: one of the two");
      return std::nullopt;
    }
    if (direct != nullptr) return std::pair{direct->value, at(direct->line)};
    if (by_file == nullptr) return std::nullopt;
    const auto where = at(by_file->line) + ", " + std::string{file_name};
    if (by_file->value.written_as != raw_value::type::string) {
      fault(key, " (" + where + "): is not a string; allowed: a file that can be read");
      return std::nullopt;
    }
    if (auto raw = value_of_file(key, by_file->value.text, where)) return std::pair{*std::move(raw), where};
    return std::nullopt;
  }

  void take_file(const key& k) {
    if (auto found = entry_value(full_name(k), k.section, 0, k.name, k.file_name)) {
      take(k, found->first, source::file, std::move(found->second));
    }
  }

  template <class Element>
  void elements(const std::string& section, std::span<const element_key<Element>> table, std::vector<Element>& out) {
    if (ignored_.contains(section)) return;
    for (const auto& [name, index, line] : file_.tables) {
      if (name != section) continue;
      Element element;
      for (const auto& k : table) {
        const auto key = section + "[" + std::to_string(index) + "]." + std::string{k.name};
        if (auto found = entry_value(key, section, index, k.name, k.file_name)) {
          if (take(key, k.spec, found->first, found->second, [&](const value& v) { k.assign(element, v); })) {
            out_.origins[key] = {source::file, std::move(found->second)};
          }
        } else if (k.required && !bad_.contains(key)) {
          fault(key, " is not set (" + at(line) + "); allowed: " + allowed(k.spec));
        }
      }
      out.push_back(std::move(element));
    }
  }

  // ---- what nobody knows

  void unknown_keys() {
    for (const auto& entry : file_.entries) {
      if (ignored_.contains(entry.section)) continue;
      const auto known_sections = sections();
      const auto as_section = std::find_if(known_sections.begin(), known_sections.end(),
                                           [&](const auto& s) { return entry.section.empty() && s.name == entry.key; });
      if (as_section != known_sections.end()) {
        const auto wanted = as_section->array ? "[[" + entry.key + "]]" : "[" + entry.key + "]";
        fault(entry.key, " (" + at(entry.line) + "): is no table; allowed: " + wanted);
        continue;
      }
      if (is_known(entry.section, entry.key)) continue;
      auto full = entry.section;
      if (entry.index > 0) full += "[" + std::to_string(entry.index) + "]";
      full += (full.empty() ? "" : ".") + entry.key;
      fault(full, " (" + at(entry.line) + "): no such key; the nearest is " + nearest_key(entry.section, entry.key));
    }
  }

  void unknown_environment() {
    for (const auto& [name, text] : from_.environment) {
      if (!name.starts_with(environment_prefix) || is_known_environment(name, text)) continue;
      fault(name, " (environment): no such key; the nearest is " + nearest_environment(name));
    }
  }

  void unknown_flags() {
    for (const auto& [name, text] : from_.flags) {
      if (!out_.origins.contains(name)) fault(name, " (command line): no such key");
    }
  }

  // ---- environment and command line

  void take_environment(const key& k) {
    const auto name = environment_name(k);
    const auto file_name = name + std::string{environment_file_suffix};
    const auto direct = from_.environment.find(name);
    const auto by_file = from_.environment.find(file_name);
    const auto none = from_.environment.end();
    if (direct != none && by_file != none) {
      fault(full_name(k), " (" + name + "): " + file_name + " is set as well; allowed: one of the two");
    } else if (direct != none) {
      take(k, untyped(direct->second), source::environment, name);
    } else if (by_file != none) {
      if (auto raw = value_of_file(full_name(k), by_file->second, file_name)) {
        take(k, *raw, source::environment, file_name);
      }
    }
  }

  void take_flag(const key& k) {
    const auto found = from_.flags.find(full_name(k));
    if (found == from_.flags.end()) return;
    take(k, untyped(found->second), source::flag, std::string{k.flag});
  }

  const options& from_;
  result out_;
  toml_file file_;
  std::map<std::tuple<std::string_view, std::size_t, std::string_view>, const toml_entry*> entries_;  // into file_
  std::set<std::string, std::less<>> bad_;
  std::set<std::string, std::less<>> ignored_;  // sections that already have a fault as a whole
};

}  // namespace

result load(const options& from) {
  return loader{from}.run();
}

string_map environment_from(const char* const* environ) {
  string_map out;
  for (; environ != nullptr && *environ != nullptr; ++environ) {
    const std::string_view line{*environ};
    const auto equals = line.find('=');
    if (!line.starts_with(environment_prefix) || equals == std::string_view::npos) continue;
    out.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return out;
}

std::vector<flag_info> flags() {
  std::vector<flag_info> out;
  for (const auto& k : keys()) {
    if (!k.flag.empty()) out.push_back({k.flag, full_name(k), k.flag_value, k.meaning});
  }
  return out;
}

}  // namespace mongocached::config
