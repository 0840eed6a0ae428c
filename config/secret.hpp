// Values that must not reach a log, an error message, a metric or the status output.
//
// secret  a password or token: prints as ***; the value itself only through reveal(), which is easy to search for.
// uri     a connection string that may carry a password: prints with the password masked.
//
// Both are plain values: copy, move and compare them like a std::string.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace mongocached::config {

// The password part of `text` as ***, so that `text` may be printed. `text` is one URI (mongodb://, mongodb+srv://,
// redis://, rediss://, ...), whole or malformed: what cannot be told apart from a password is masked. Secret options
// (passwords, tokens, authMechanismProperties) are masked too. Idempotent.
[[nodiscard]] std::string mask_uri(std::string_view text);

// The same for every URI inside a longer text, such as a library's error message. Text that holds no "://" comes back
// as it is.
[[nodiscard]] std::string mask_text(std::string_view text);

class secret {
 public:
  secret() = default;
  explicit secret(std::string value) : value_(std::move(value)) {}

  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  [[nodiscard]] std::string masked() const { return value_.empty() ? "" : "***"; }

  friend bool operator==(const secret&, const secret&) = default;

 private:
  std::string value_;
};

class uri {
 public:
  uri() = default;
  explicit uri(std::string value) : value_(std::move(value)) {}

  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  [[nodiscard]] std::string masked() const { return mask_uri(value_); }

  friend bool operator==(const uri&, const uri&) = default;

 private:
  std::string value_;
};

[[nodiscard]] inline std::string to_string(const secret& value) {
  return value.masked();
}
[[nodiscard]] inline std::string to_string(const uri& value) {
  return value.masked();
}
std::ostream& operator<<(std::ostream& out, const secret& value);
std::ostream& operator<<(std::ostream& out, const uri& value);

}  // namespace mongocached::config
