#include "cache/key.hpp"

#include <array>

namespace mongocached::cache {
namespace {

constexpr std::size_t max_database_size = 63;
constexpr std::size_t max_namespace_size = 255;

// Looked up for each character of every command's namespace: a table rather than a search.
struct forbidden_characters {
  std::array<bool, 256> database{};
  std::array<bool, 256> collection{};

  constexpr forbidden_characters() {
    for (const char c : {'\0', '/', '\\', '.', ' ', '"', '$'}) database[static_cast<unsigned char>(c)] = true;
    for (const char c : {'\0', '$'}) collection[static_cast<unsigned char>(c)] = true;
  }
  [[nodiscard]] constexpr bool in_database(char c) const { return database[static_cast<unsigned char>(c)]; }
  [[nodiscard]] constexpr bool in_collection(char c) const { return collection[static_cast<unsigned char>(c)]; }
};
constexpr forbidden_characters forbidden;

}  // namespace

void append_key_prefix(byte_buffer& out, key_kind kind, std::string_view db, std::string_view collection) {
  constexpr std::size_t usual_id = 32;
  const auto at = out.size();
  const auto size = db.size() + collection.size() + 3;
  if (at == 0) out.reserve(size + usual_id);
  out.resize(at + size);
  auto* to = out.data() + at;
  *to++ = static_cast<std::uint8_t>(kind);
  if (!db.empty()) std::memcpy(to, db.data(), db.size());
  to += db.size();
  *to++ = '.';
  if (!collection.empty()) std::memcpy(to, collection.data(), collection.size());
  to[collection.size()] = 0;
}

void begin_key(byte_buffer& out, key_kind kind, std::string_view db, std::string_view collection) {
  out.clear();
  append_key_prefix(out, kind, db, collection);
}

std::string_view namespace_of(byte_view key) noexcept {
  if (key.empty()) return {};
  const auto text = protocol::as_text(key.subspan(1));
  const auto end = text.find('\0');
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end);
}

std::string full_name(std::string_view db, std::string_view collection) {
  std::string out;
  out.reserve(db.size() + 1 + collection.size());
  set_full_name(out, db, collection);
  return out;
}

void set_full_name(std::string& out, std::string_view db, std::string_view collection) {
  out.assign(db).append(1, '.').append(collection);
}

bool is_valid_namespace(std::string_view db, std::string_view collection) noexcept {
  if (db.empty() || db.size() > max_database_size || collection.empty()) return false;
  if (db.size() + 1 + collection.size() > max_namespace_size || collection.front() == '.') return false;
  bool valid = true;
  for (const char c : db) valid &= !forbidden.in_database(c);
  for (const char c : collection) valid &= !forbidden.in_collection(c);
  return valid;
}

}  // namespace mongocached::cache
