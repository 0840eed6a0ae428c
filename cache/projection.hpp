// Projections that the proxy applies itself to a cached whole document (wire rule S6): inclusion or exclusion by
// booleans and numbers only; no `$`, no numeric path parts, no empty parts, no colliding paths, and no path that
// crosses an array in this document. Everything else is refused and the read is forwarded.
//
// As the server does it: fields keep the document's order; `_id` is in the result unless it is excluded by name; an
// inclusion keeps an embedded document on the way to a path, empty if need be, and drops a scalar there; an exclusion
// keeps both.
#pragma once

#include <array>
#include <vector>

#include "protocol/bson_builder.hpp"

namespace mongocached::cache {

class projection {
 public:
  enum class verdict : std::uint8_t { whole, modelled, unmodelled };

  // More path parts than this, or a longer path, are not modelled.
  static constexpr std::size_t max_nodes = 512;
  static constexpr std::size_t max_path_parts = 64;

  // Views into `spec` are kept: it must outlive the projection. Reusable: compile() forgets what was before.
  // whole: an empty specification, the document as it is.
  [[nodiscard]] verdict compile(protocol::bson_view spec);

  // Appends the projected document to `out`. False, with `out` as it was, if a path crosses an array in this document,
  // a projected name stands in it twice, its `_id` is not its first field (the server keeps it there), or it is
  // malformed. After whole: a copy.
  [[nodiscard]] bool apply(protocol::bson_view document, protocol::byte_buffer& out) const;

 private:
  struct node {
    std::string_view name;
    std::uint32_t first_child = 0;  // index into nodes_, 0: none (0 is the root)
    std::uint32_t next = 0;
    bool leaf = false;
  };
  using seen_nodes = std::array<std::uint64_t, max_nodes / 64>;

  [[nodiscard]] verdict compile_fields(protocol::bson_view spec);
  [[nodiscard]] bool add_path(std::string_view path);
  [[nodiscard]] std::uint32_t find_child(std::uint32_t parent, std::string_view name) const noexcept;
  [[nodiscard]] bool apply_fields(protocol::bson_view document, std::uint32_t at, seen_nodes& seen,
                                  protocol::bson_builder& to) const;
  [[nodiscard]] bool apply_field(const protocol::bson_element& field, std::uint32_t child, seen_nodes& seen,
                                 protocol::bson_builder& to) const;

  std::vector<node> nodes_;
  bool inclusion_ = false;
  bool id_ = true;  // whether _id is in the result
};

}  // namespace mongocached::cache
