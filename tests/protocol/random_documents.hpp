// Random BSON for comparisons with libbson: documents of every type, built by libbson so that our builder does not
// vouch for our reader, and the damage that a hostile or broken peer might do to them. Seeded, so that a failure
// repeats.
#pragma once

#include <bson/bson.h>

#include <random>
#include <string>

#include "protocol/bytes.hpp"

namespace mongocached::test_support {

class random_source {
 public:
  explicit random_source(std::uint64_t seed) : engine_(seed) {}

  // In [0, bound).
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::uint64_t bits() { return engine_(); }
  // No NUL inside, ASCII.
  std::string text(std::size_t longest) {
    std::string out(below(longest + 1), ' ');
    for (auto& c : out) c = static_cast<char>('!' + below(90));
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

enum class names { random, indexes };

inline void append_random_document(bson_t* out, random_source& random, int depth, names kind = names::random);

inline void append_random_scalar(bson_t* out, const std::string& name, random_source& random) {
  const auto* key = name.c_str();
  const auto text = random.text(12);
  bson_oid_t oid;
  for (auto& byte : oid.bytes) byte = static_cast<std::uint8_t>(random.bits());
  const auto wide = static_cast<std::int64_t>(random.bits());
  switch (random.below(16)) {
    case 0:
      bson_append_double(out, key, -1,
                         random.one_in(2) ? static_cast<double>(wide % 100) : static_cast<double>(wide) / 7);
      break;
    case 1:
      bson_append_utf8(out, key, -1, text.c_str(), -1);
      break;
    case 2:
      bson_append_binary(out, key, -1, random.one_in(2) ? BSON_SUBTYPE_BINARY : BSON_SUBTYPE_UUID, oid.bytes,
                         static_cast<std::uint32_t>(random.below(13)));
      break;
    case 3:
      bson_append_undefined(out, key, -1);
      break;
    case 4:
      bson_append_oid(out, key, -1, &oid);
      break;
    case 5:
      bson_append_bool(out, key, -1, random.one_in(2));
      break;
    case 6:
      bson_append_date_time(out, key, -1, wide);
      break;
    case 7:
      bson_append_null(out, key, -1);
      break;
    case 8:
      bson_append_regex(out, key, -1, text.c_str(), "im");
      break;
    case 9:
      bson_append_dbpointer(out, key, -1, text.c_str(), &oid);
      break;
    case 10:
      bson_append_code(out, key, -1, text.c_str());
      break;
    case 11:
      bson_append_symbol(out, key, -1, text.c_str(), -1);
      break;
    case 12:
      bson_append_int32(out, key, -1, static_cast<std::int32_t>(wide));
      break;
    case 13:
      bson_append_timestamp(out, key, -1, static_cast<std::uint32_t>(wide), static_cast<std::uint32_t>(wide >> 32));
      break;
    case 14:
      bson_append_int64(out, key, -1, wide);
      break;
    default:
      random.one_in(2) ? bson_append_minkey(out, key, -1) : bson_append_maxkey(out, key, -1);
      break;
  }
}

inline void append_random_value(bson_t* out, const std::string& name, random_source& random, int depth) {
  if (depth == 0 || !random.one_in(4)) return append_random_scalar(out, name, random);
  const auto kind = random.below(4);
  bson_t inner = BSON_INITIALIZER;
  append_random_document(&inner, random, depth - 1, kind == 0 ? names::indexes : names::random);
  switch (kind) {
    case 0:
      bson_append_array(out, name.c_str(), -1, &inner);
      break;
    case 1:
      bson_append_code_with_scope(out, name.c_str(), -1, "f()", &inner);
      break;
    default:
      bson_append_document(out, name.c_str(), -1, &inner);
      break;
  }
  bson_destroy(&inner);
}

inline void append_random_document(bson_t* out, random_source& random, int depth, names kind) {
  const auto fields = random.below(7);
  for (std::size_t i = 0; i < fields; ++i) {
    append_random_value(out, kind == names::indexes ? std::to_string(i) : random.text(6), random, depth);
  }
}

inline protocol::byte_buffer random_document(random_source& random, int depth = 4) {
  bson_t document = BSON_INITIALIZER;
  append_random_document(&document, random, depth);
  const auto* data = bson_get_data(&document);
  protocol::byte_buffer bytes(data, data + document.len);
  bson_destroy(&document);
  return bytes;
}

// One to three wounds: a byte changed at random, to a value that matters in BSON, or a length field off by a little.
inline void damage(protocol::byte_buffer& bytes, random_source& random) {
  static constexpr std::uint8_t telling[] = {0, 1, 2, 3, 4, 5, 8, 0x0b, 0x0c, 0x0f, 0x10, 0x13, 0x7f, 0x80, 0xff};
  for (auto wounds = 1 + random.below(3); wounds != 0; --wounds) {
    auto& byte = bytes[random.below(bytes.size())];
    switch (random.below(3)) {
      case 0:
        byte = static_cast<std::uint8_t>(random.bits());
        break;
      case 1:
        byte = telling[random.below(sizeof telling)];
        break;
      default:
        byte = static_cast<std::uint8_t>(byte + random.below(7) - 3);
        break;
    }
  }
}

}  // namespace mongocached::test_support
