// sample() and reference() of print.hpp: the key tables as text for people.
#include <algorithm>

#include "config/keys.hpp"
#include "config/print.hpp"

namespace mongocached::config {
namespace {

constexpr std::size_t width = 110;

// `text` as comment lines of at most `width` characters.
std::string wrapped(std::string_view text) {
  std::string out;
  std::string line = "#";
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    if (line.size() + 1 + word.size() > width && line.size() > 1) {
      out += line + "\n";
      line = "#";
    }
    line += " " + std::string{word};
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return out + line + "\n";
}

std::string sentence(const key& k) {
  std::string out{k.meaning};
  if (!k.zero.empty()) out += " " + std::string{k.zero} + ".";
  if (k.renewed == renewal::at_restart) out += " Changes with a restart.";
  if (k.renewed == renewal::unless_set_or_unset) out += " Whether there is one changes with a restart.";
  return out;
}

std::string default_of(const key& k) {
  return to_toml(k.spec, k.get(settings{}));
}

// A table cell: a bar would end it.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string code(std::string_view text) {
  return "`" + cell(text) + "`";
}

constexpr std::string_view head =
    "# Sample configuration of mongocached. A line that begins with '#' and a key shows the default.\n"
    "# Every key has an environment name, MONGOCACHED_SECTION_KEY, and the same with _FILE reads the value from a "
    "file.\n"
    "# Flags win over the environment, the environment over this file. Check with: mongocached --config FILE "
    "--check-config\n";

constexpr std::string_view collection_example =
    "#[[collection]]\n"
    "#namespace = \"sample_mflix.movies\"\n"
    "#ttl = \"1h\"\n"
    "#\n"
    "#[[collection]]\n"
    "#namespace = \"sample_mflix.session*\"\n"
    "#enabled = false\n";

constexpr std::string_view user_example =
    "#[[user]]\n"
    "#name = \"app\"\n"
    "#password_file = \"/run/secrets/app_password\"\n"
    "#admin = false\n";

template <class Element>
std::string reference_of(std::span<const element_key<Element>> table) {
  std::string out = "| key | allowed | meaning |\n|---|---|---|\n";
  for (const auto& k : table) {
    out += "| " + code(k.name);
    if (!k.file_name.empty()) out += ", " + code(k.file_name);
    out += " | " + cell(allowed(k.spec)) + " | " + cell(k.meaning) + " |\n";
  }
  return out;
}

}  // namespace

std::string sample() {
  std::string out{head};
  for (const auto& s : sections()) {
    out += "\n" + wrapped(s.meaning);
    if (s.array) {
      out += s.name == "user" ? user_example : collection_example;
      continue;
    }
    out += "[" + std::string{s.name} + "]\n";
    for (const auto& k : keys()) {
      if (k.section != s.name) continue;
      out += "\n" + wrapped(sentence(k)) + wrapped("Allowed: " + allowed(k.spec) + ".");
      out += (k.example.empty() ? "#" : "") + std::string{k.name} + " = " +
             (k.example.empty() ? default_of(k) : std::string{k.example}) + "\n";
      if (!k.file_name.empty())
        out += "#" + std::string{k.file_name} + " = \"/run/secrets/" + std::string{k.name} + "\"\n";
    }
  }
  return out;
}

std::string reference() {
  std::string out;
  for (const auto& s : sections()) {
    const std::string name{s.name};
    out += "### " + (s.array ? "`[[" + name + "]]`" : "`[" + name + "]`") + "\n\n" + std::string{s.meaning} + "\n\n";
    if (s.array) {
      out += (s.name == "user" ? reference_of(user_keys()) : reference_of(collection_keys())) + "\n";
      continue;
    }
    out += "| key | default | allowed | meaning | flag |\n|---|---|---|---|---|\n";
    for (const auto& k : keys()) {
      if (k.section != s.name) continue;
      out += "| " + code(k.name);
      if (!k.file_name.empty()) out += ", " + code(k.file_name);
      out += " | " + (k.example.empty() ? code(default_of(k)) : "none") + " | " + cell(allowed(k.spec)) + " | " +
             cell(sentence(k)) + " | " + (k.flag.empty() ? "" : code(k.flag)) + " |\n";
    }
    out += "\n";
  }
  out.pop_back();
  return out;
}

}  // namespace mongocached::config
