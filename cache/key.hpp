// Cache keys: bytes that are equal exactly when the cached thing is the same. Built into a buffer that the caller
// reuses.
//
//   document key:  'd' db '.' collection NUL canonical-id        (document_id.hpp)
//   list key:      'l' db '.' collection NUL canonical-command   (list_key.hpp)
//
// Neither a database nor a collection name may hold NUL, so the parts cannot run into each other; no database name
// holds a dot, so that "a.b" + "c" and "a" + "b.c" cannot meet either. plan_read and plan_write make no key for names
// that break these rules.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "cache/entry.hpp"
#include "protocol/block_pool.hpp"

namespace mongocached::cache {

struct key_view {
  byte_view bytes;
  std::uint64_t hash = 0;  // hash_key(bytes)
};

// A copy of a key, in pooled memory.
class kept_key {
 public:
  explicit kept_key(key_view key)
      : bytes_(static_cast<std::uint8_t*>(protocol::block_pool::allocate(key.bytes.size())), {key.bytes.size()}),
        hash_(key.hash) {
    std::memcpy(bytes_.get(), key.bytes.data(), key.bytes.size());
  }
  [[nodiscard]] key_view view() const noexcept { return {{bytes_.get(), bytes_.get_deleter().size}, hash_}; }

 private:
  struct releaser {
    std::size_t size;
    void operator()(std::uint8_t* block) const noexcept { protocol::block_pool::release(block, size); }
  };
  std::unique_ptr<std::uint8_t[], releaser> bytes_;
  std::uint64_t hash_;
};

enum class key_kind : std::uint8_t { document = 'd', list = 'l' };

// Clears `out` and writes the part up to and including the NUL.
void begin_key(byte_buffer& out, key_kind kind, std::string_view db, std::string_view collection);

// The same behind what `out` holds: for several keys in one buffer.
void append_key_prefix(byte_buffer& out, key_kind kind, std::string_view db, std::string_view collection);

// "db.collection" of a key made by begin_key; empty for bytes that are no key.
[[nodiscard]] std::string_view namespace_of(byte_view key) noexcept;

// "db.collection". The second writes it over what `out` holds, whose room is used again.
[[nodiscard]] std::string full_name(std::string_view db, std::string_view collection);
void set_full_name(std::string& out, std::string_view db, std::string_view collection);

// Names that a key can be made of: not empty, no NUL, not longer than the server takes (63 bytes a database, 255 a
// namespace), no character that the server refuses in a database name, no '$' in a collection's ("$cmd").
[[nodiscard]] bool is_valid_namespace(std::string_view db, std::string_view collection) noexcept;

}  // namespace mongocached::cache
