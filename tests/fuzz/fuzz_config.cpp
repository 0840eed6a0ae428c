// Settings from any bytes: no crash, faults of one line, no password shown; what loads without faults is printed so
// that it loads again. The first byte says what the rest is: t a TOML file, v a value of every key, m a password inside
// a URI.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "config/keys.hpp"
#include "config/print.hpp"
#include "config/toml_file.hpp"
#include "require.hpp"

namespace {

using namespace mongocached::config;
using mongocached::fuzz::require;

constexpr std::string_view password = "Zq7sesame";

// A file without a disk.
class memory_file {
 public:
  explicit memory_file(std::string_view text) : descriptor_(memfd_create("config", MFD_CLOEXEC)) {
    require(descriptor_ >= 0, "memfd_create");
    require(write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write");
  }
  ~memory_file() { close(descriptor_); }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void require_clean(const result& r) {
  const auto check = [](const std::string& text) {
    require(text.find('\n') == std::string::npos, "a fault is one line");
    require(is_utf8(text), "a fault is UTF-8");
    require(text.find(password) == std::string::npos, "no password in a fault");
  };
  for (const auto& f : r.faults) check(f.line);
  for (const auto& note : r.notes) check(note);
  require(print_config(r).find(password) == std::string::npos, "no password printed");
}

void toml(const std::string& text) {
  (void)parse_toml(text);
  if (text.find("_file") != std::string::npos) return;  // would open files of any name
  const memory_file file{text};
  options from;
  from.file = file.path();
  const auto first = load(from);
  require_clean(first);
  if (!first.ok()) return;
  const auto printed = print_config(first);
  const memory_file again{printed};
  from.file = again.path();
  const auto second = load(from);
  require(second.ok(), "what is printed loads");
  const bool masked = printed.find("***") != std::string::npos;
  require(masked || first.settings == second.settings, "what is printed means the same");
}

void value_of_every_key(const std::string& text) {
  options from;
  for (const auto& k : keys()) {
    if (k.spec.kind != value_kind::path) from.flags[full_name(k)] = text;  // a path would be opened
  }
  const auto r = load(from);
  for (const auto& f : r.faults) require(f.line.find('\n') == std::string::npos, "a fault is one line");
  for (const auto& k : keys()) {
    raw_value raw;
    raw.text = text;
    const auto parsed = parse(k.spec, raw);
    require(parsed.result.has_value() == parsed.why.empty(), "a value or a reason");
    if (!parsed.result) continue;
    raw.text = to_plain(k.spec, *parsed.result);
    const auto again = parse(k.spec, raw);
    const bool masked = raw.text.find("***") != std::string::npos;
    require(masked || (again.result && *again.result == *parsed.result), "what is printed is read again");
  }
}

void mask(std::string_view part) {
  const auto half = part.size() / 2;
  for (const auto* scheme : {"mongodb://", "mongodb+srv://", "redis://"}) {
    const auto uri = std::string{scheme} + "app:" + std::string{part.substr(0, half)} + std::string{password} +
                     std::string{part.substr(half)} + "@db.example";
    require(mask_uri(uri).find(password) == std::string::npos, "no password in a masked URI");
    options from;
    from.flags = {{"upstream.uri", uri}, {"redis.uri", uri}};
    require_clean(load(from));
  }
  (void)mask_text(part);
  require(mask_uri(mask_uri(part)) == mask_uri(part), "masking twice changes nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text{reinterpret_cast<const char*>(data) + 1, size - 1};
  if (data[0] == 't') toml(text);
  if (data[0] == 'v') value_of_every_key(text);
  if (data[0] == 'm') mask(text);
  return 0;
}
