// What a SCRAM server keeps of a user, and how it comes from a password (RFC 5802 section 3, RFC 7677). Pure but for
// OpenSSL's arithmetic; deriving takes about 10 ms, everything else microseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mongocached::auth {

enum class scram_hash : std::uint8_t { sha1, sha256 };

// "SCRAM-SHA-256"; empty where the mechanism is none of ours.
[[nodiscard]] std::string_view mechanism_of(scram_hash hash) noexcept;
[[nodiscard]] std::optional<scram_hash> hash_of(std::string_view mechanism) noexcept;
[[nodiscard]] std::size_t digest_size(scram_hash hash) noexcept;

// What MongoDB's own servers use.
inline constexpr int sha256_iterations = 15'000;
inline constexpr int sha1_iterations = 10'000;
// A stored secret of fewer SHA-256 rounds than this is not taken.
inline constexpr int least_iterations = 15'000;
inline constexpr int most_iterations = 10'000'000;
// Nor are more asked of us by a server: they are worked out while clients wait.
inline constexpr int most_asked_iterations = 1'000'000;
[[nodiscard]] int usual_iterations(scram_hash hash) noexcept;
[[nodiscard]] std::size_t usual_salt_size(scram_hash hash) noexcept;

struct scram_keys {
  scram_hash hash = scram_hash::sha256;
  int iterations = 0;
  std::string salt;
  std::string stored_key;
  std::string server_key;

  friend bool operator==(const scram_keys&, const scram_keys&) = default;
};

// `password` as the mechanism wants it: SASLprep'd for SHA-256, the MongoDB digest for SHA-1.
[[nodiscard]] std::string salted_password(scram_hash hash, std::string_view password, std::string_view salt,
                                          int iterations);
[[nodiscard]] scram_keys keys_from_salted(scram_hash hash, std::string_view salted, std::string_view salt,
                                          int iterations);
// hex(MD5(user:mongo:password)): what SCRAM-SHA-1 takes for the password in MongoDB.
[[nodiscard]] std::string mongodb_digest(std::string_view user, std::string_view password);

// "SCRAM-SHA-256$15000:salt$StoredKey:ServerKey", each in base64: the form in which PostgreSQL keeps a password. Empty,
// and `why` says it without repeating the text, where it is none.
[[nodiscard]] std::optional<scram_keys> parse_stored_keys(std::string_view text, std::string& why);
[[nodiscard]] std::string print_stored_keys(const scram_keys& keys);

[[nodiscard]] std::string hmac(scram_hash hash, std::string_view key, std::string_view text);
[[nodiscard]] std::string digest(scram_hash hash, std::string_view text);
[[nodiscard]] std::string exclusive_or(std::string_view a, std::string_view b);
// Takes the same time wherever they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;
// From the kernel's generator; throws std::runtime_error where there is none.
[[nodiscard]] std::string random_bytes(std::size_t size);
// A nonce as SCRAM wants it: printable, without commas; 24 random bytes.
[[nodiscard]] std::string random_nonce();

}  // namespace mongocached::auth
