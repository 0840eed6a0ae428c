// Keys as the daemon makes them for documents with an integer _id, by number.
#pragma once

#include "cache/key.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::bench {

class document_key {
 public:
  document_key() {
    cache::begin_key(bytes_, cache::key_kind::document, "bench", "docs");
    bytes_.push_back('i');
    bytes_.resize(bytes_.size() + sizeof(std::uint64_t));
  }

  // Good until the next call.
  [[nodiscard]] cache::key_view of(std::uint64_t number) {
    std::memcpy(bytes_.data() + bytes_.size() - sizeof number, &number, sizeof number);
    return {bytes_, cache::hash_key(bytes_)};
  }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

 private:
  cache::byte_buffer bytes_;
};

}  // namespace mongocached::bench
