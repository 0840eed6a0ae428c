// What two sides of a connection agree on before they compress: the `compression` field of hello and of its reply.
// Source: the drivers' OP_COMPRESSED specification.
#pragma once

#include <array>
#include <span>

#include "protocol/bson_builder.hpp"
#include "protocol/compression.hpp"

namespace mongocached::protocol {

// Compressors in an order of preference, each once.
class compressor_list {
 public:
  // The field of a hello, or of the reply to it: the names in it that are known.
  [[nodiscard]] static compressor_list in(bson_view hello) noexcept;

  void add(compressor one) noexcept;  // not `none`, and not twice
  [[nodiscard]] bool contains(compressor one) const noexcept;
  [[nodiscard]] std::span<const compressor> all() const noexcept { return std::span(all_).first(size_); }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  // Those that `others` has too, in this one's order: the first is the one to compress with.
  [[nodiscard]] compressor_list also_in(const compressor_list& others) const noexcept;
  // The field; nothing for an empty list.
  void append_to(bson_builder& hello) const;

 private:
  std::array<compressor, 3> all_{};
  std::size_t size_ = 0;
};

struct compression_offer {
  compressor_list compressors;
  int zlib_level = default_zlib_level;
};

// False for the commands that must never be compressed (they carry what nobody may guess from a message's length), and
// for none.
[[nodiscard]] bool may_be_compressed(std::string_view command) noexcept;

}  // namespace mongocached::protocol
