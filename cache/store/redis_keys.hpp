// Names of the things in Redis, and numbers as text in them (coherence "Redis keys").
//
//   <prefix>:2:<cluster>:epoch              "<epoch>:<run id of the Redis that it was made in>"
//   <prefix>:2:<cluster>:mark               the coverage mark: <time><epoch of 32 digits><token bytes> (C3)
//   <prefix>:2:<cluster>:g:d:<namespace>    "<generation token>:<N>" of the namespace's documents, or "hold"
//   <prefix>:2:<cluster>:g:l:<namespace>    the same of its lists
//   <prefix>:2:<cluster>:p:<namespace>      announced writes that may be to any of its documents (mode `strict`)
//   <prefix>:2:<cluster>:v:{<key>}          an entry in its stored form
//   <prefix>:2:<cluster>:r:{<key>}          its record, a hash: f fence, v the value's L, l lease, e end of the lease,
//                                           h end of the hold, p announced writes
//   <prefix>:2:<cluster>:push               no key but a channel, see push_message.hpp
//
// Announced writes are a row of "<announcement><its end>", 32 hex digits and 13 of a time in milliseconds, so that each
// is taken back by its own name.
//
// 2 is the version of this layout. 1 had tokens without N and values without `v`: its processes would take a token with
// N for none, and refuse or drop one another's entries for ever. <namespace> and <key> are 128-bit hashes, 32 hex
// digits: the same in all processes.
// Clients can make keys collide; that costs a miss, because a value holds its full key and its reader compares it.
// Times of MongoDB are 16 hex digits, which compare as text as they do as numbers; Lua's numbers would lose their last
// bits.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "cache/key.hpp"
#include "cache/stored_form.hpp"

namespace mongocached::cache {

using hex_128 = std::array<char, 32>;
using hex_64 = std::array<char, 16>;

[[nodiscard]] inline std::string_view as_text(const hex_128& hex) noexcept {
  return {hex.data(), hex.size()};
}
[[nodiscard]] inline std::string_view as_text(const hex_64& hex) noexcept {
  return {hex.data(), hex.size()};
}

[[nodiscard]] hex_128 to_hex(const std::array<std::uint8_t, 16>& bytes) noexcept;
[[nodiscard]] hex_64 to_hex(cluster_time time) noexcept;
[[nodiscard]] std::optional<std::array<std::uint8_t, 16>> bytes_from_hex(std::string_view hex) noexcept;
[[nodiscard]] std::optional<cluster_time> time_from_hex(std::string_view hex) noexcept;

[[nodiscard]] hex_128 redis_hash(byte_view bytes) noexcept;

// Makes names in buffers of its own: a view is good until the same function is called again.
class redis_keys {
 public:
  redis_keys(const std::string& prefix, const std::string& cluster_id);

  [[nodiscard]] std::string_view epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::string_view mark() const noexcept { return mark_; }
  [[nodiscard]] std::string_view push() const noexcept { return push_; }
  [[nodiscard]] std::string_view generation(key_kind kind, std::string_view ns);
  [[nodiscard]] std::string_view pending(std::string_view ns);
  [[nodiscard]] std::string_view value(const hex_128& key);
  [[nodiscard]] std::string_view record(const hex_128& key);

 private:
  std::string epoch_;
  std::string mark_;
  std::string push_;
  std::string generation_;
  std::string generation_of_;  // mostly the same namespace again
  std::string pending_;
  std::string value_;
  std::string record_;
};

}  // namespace mongocached::cache
