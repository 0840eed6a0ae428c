// The one collection of the simulation, shop.things: which documents and queries there are, their cache keys, and the
// BSON forms of documents, lists and change events.
#pragma once

#include <array>
#include <string>

#include "cache/coherence.hpp"

namespace mongocached::simulation {

using cache::cluster_time;
using cache::duration;
using cache::instant;
using cache::key_kind;
using cache::key_view;
using protocol::byte_buffer;
using protocol::byte_view;

inline constexpr std::size_t documents = 4;
inline constexpr std::size_t lists = 4;
inline constexpr std::size_t items = documents + lists;  // an item is a document, or behind them a list
inline constexpr instant never = instant::max();

struct row {
  std::uint32_t version = 0;  // 0: no such document
  std::uint8_t kind = 0;
  std::uint8_t price = 0;
  friend bool operator==(const row&, const row&) = default;
};
using contents = std::array<row, documents>;

// What a read saw: (item of the document, version), in order.
struct answer {
  std::uint8_t size = 0;
  std::array<std::uint8_t, documents> ids{};
  std::array<std::uint32_t, documents> versions{};
  void add(std::size_t id, std::uint32_t version) noexcept {
    ids[size] = static_cast<std::uint8_t>(id);
    versions[size++] = version;
  }
  friend bool operator==(const answer&, const answer&) = default;
};

[[nodiscard]] constexpr key_kind kind_of(std::size_t item) noexcept {
  return item < documents ? key_kind::document : key_kind::list;
}
[[nodiscard]] key_view key_of(std::size_t item);
// The document that a key of cache_core names; `documents` if none.
[[nodiscard]] std::size_t document_of(byte_view key) noexcept;

// What a server with these contents answers.
[[nodiscard]] answer evaluate(std::size_t item, const contents& all) noexcept;
[[nodiscard]] answer read_answer(std::size_t item, const cache::entry& e);
[[nodiscard]] std::string text_of(std::size_t item, const answer& a);

void append_row(byte_buffer& out, std::size_t id, const row& r);
// The value that an entry of this item holds; empty: no such document.
void value_of(byte_buffer& out, std::size_t item, const contents& all);

}  // namespace mongocached::simulation
