// Names of the things in Redis, and numbers as text in them (coherence "Redis keys").
//
//   <prefix>:1:<cluster>:epoch              "<epoch>:<run id of the Redis that it was made in>"
//   <prefix>:1:<cluster>:g:d:<namespace>    generation token of the namespace's documents, or "hold"
//   <prefix>:1:<cluster>:g:l:<namespace>    the same of its lists
//   <prefix>:1:<cluster>:v:{<key>}          an entry in its stored form
//   <prefix>:1:<cluster>:r:{<key>}          its record, a hash: f fence, l lease, e end of the lease, h end of the hold
//
// 1 is the version of this layout. <namespace> and <key> are 128-bit hashes, 32 hex digits: the same in all processes.
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
  [[nodiscard]] std::string_view generation(key_kind kind, std::string_view ns);
  [[nodiscard]] std::string_view value(const hex_128& key);
  [[nodiscard]] std::string_view record(const hex_128& key);

 private:
  std::string epoch_;
  std::string generation_;
  std::string value_;
  std::string record_;
};

}  // namespace mongocached::cache
