// From flags, environment and file to settings, with every fault of the run at once.
//
// Precedence: flag, environment, file, default. Each key has the environment name MONGOCACHED_SECTION_KEY; the same
// with _FILE names a file that holds the value (one newline at its end does not count). A value that is wrong is a
// fault even where another source would have won. Nothing here throws but std::bad_alloc; nothing is printed; no fault
// or note holds a password.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace mongocached::config {

using string_map = std::map<std::string, std::string, std::less<>>;

// Where sockets listen that a service manager handed over; one without a host is a Unix socket. As far as there are
// any, listen.address and http.address do not count.
struct inherited_addresses {
  std::vector<endpoint> clients;
  std::optional<endpoint> http;
};

struct options {
  string_map flags;                 // "listen.address" -> value
  string_map environment;           // only names that begin with MONGOCACHED_ are looked at
  std::optional<std::string> file;  // path
  inherited_addresses inherited;
};

enum class source { default_value, file, environment, flag };

struct origin {
  source from = source::default_value;
  std::string where;  // "mongocached.toml:12", "MONGOCACHED_CACHE_TTL", "--listen"; empty: default
};

struct fault {
  std::string key;   // "cache.ttl", "collection[2].ttl"; empty: the file as a whole
  std::string line;  // what to print: one line that names key, value and what is allowed
};

struct result {
  config::settings settings;              // a key with a fault has the default
  inherited_addresses inherited;          // as the options have them
  std::map<std::string, origin> origins;  // of every key of a plain section, and of what elements set
  std::vector<fault> faults;
  std::vector<std::string> notes;  // lines worth a warning: allowed, but seldom meant

  [[nodiscard]] bool ok() const noexcept { return faults.empty(); }
};

[[nodiscard]] result load(const options& from);

// The MONGOCACHED_* part of an `environ`.
[[nodiscard]] string_map environment_from(const char* const* environ);

// What the command line offers: one a key that has a flag. The strings live as long as the program.
struct flag_info {
  std::string_view flag;   // "--listen"
  std::string key;         // "listen.address"
  std::string_view value;  // "HOST:PORT"
  std::string_view meaning;
};

[[nodiscard]] std::vector<flag_info> flags();

}  // namespace mongocached::config
