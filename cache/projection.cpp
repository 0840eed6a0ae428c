#include "cache/projection.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace mongocached::cache {
namespace {

using protocol::bson_builder;
using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

constexpr std::string_view id_name = "_id";

// Empty for what is neither a boolean nor an ordinary number.
std::optional<bool> included(const bson_element& value) noexcept {
  const auto number = value.number();
  if (number && std::isnan(*number)) return std::nullopt;
  return value.truthy();
}

bool is_plain_part(std::string_view part) noexcept {
  if (part.empty() || part.find('$') != std::string_view::npos) return false;
  return !std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

projection::verdict projection::compile(bson_view spec) {
  nodes_.clear();
  nodes_.emplace_back();
  inclusion_ = false;
  id_ = true;
  if (spec.empty()) return verdict::whole;
  return compile_fields(spec);
}

projection::verdict projection::compile_fields(bson_view spec) {
  std::optional<bool> id;
  std::optional<bool> others;
  bson_element field;
  bson_cursor cursor(spec);
  while (cursor.next(field)) {
    const auto value = included(field);
    if (!value) return verdict::unmodelled;
    const bool is_id = field.name == id_name;
    auto& so_far = is_id ? id : others;
    if (is_id ? so_far.has_value() : (so_far && *so_far != *value)) return verdict::unmodelled;
    so_far = value;
    if (!is_id && !add_path(field.name)) return verdict::unmodelled;
  }
  if (cursor.failed()) return verdict::unmodelled;
  inclusion_ = others ? *others : id.value_or(true);
  id_ = id.value_or(true);
  return verdict::modelled;
}

bool projection::add_path(std::string_view path) {
  std::uint32_t at = 0;
  for (std::size_t parts = 1;; ++parts) {
    const auto dot = path.find('.');
    const bool last = dot == std::string_view::npos;
    const auto part = path.substr(0, dot);
    if (parts > max_path_parts || !is_plain_part(part)) return false;
    if (at == 0 && part == id_name) return false;  // a path into _id
    auto child = find_child(at, part);
    if (child != 0 && (last || nodes_[child].leaf)) return false;  // collides
    if (child == 0) {
      if (nodes_.size() == max_nodes) return false;
      child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({part, 0, nodes_[at].first_child, last});
      nodes_[at].first_child = child;
    }
    if (last) return true;
    path.remove_prefix(dot + 1);
    at = child;
  }
}

std::uint32_t projection::find_child(std::uint32_t parent, std::string_view name) const noexcept {
  auto child = nodes_[parent].first_child;
  while (child != 0 && nodes_[child].name != name) child = nodes_[child].next;
  return child;
}

bool projection::apply(bson_view document, protocol::byte_buffer& out) const {
  const auto start = out.size();
  if (nodes_.size() <= 1 && !inclusion_ && id_) {
    out.insert(out.end(), document.bytes().begin(), document.bytes().end());
    return true;
  }
  seen_nodes seen{};
  bool done = false;
  {
    bson_builder to(out);
    done = apply_fields(document, 0, seen, to);
  }
  if (!done) out.resize(start);
  return done;
}

bool projection::apply_fields(bson_view document, std::uint32_t at, seen_nodes& seen, bson_builder& to) const {
  bson_element field;
  bson_cursor cursor(document);
  while (cursor.next(field)) {
    if (at == 0 && field.name == id_name) {
      if (field.raw.data() != document.bytes().data() + 4) return false;
      if (id_) to.append(field);
      continue;
    }
    const auto child = find_child(at, field.name);
    if (child != 0) {
      if (!apply_field(field, child, seen, to)) return false;
    } else if (!inclusion_) {
      to.append(field);
    }
  }
  return !cursor.failed();
}

bool projection::apply_field(const bson_element& field, std::uint32_t child, seen_nodes& seen, bson_builder& to) const {
  auto& seen_word = seen[child / 64];
  const auto bit = std::uint64_t{1} << (child % 64);
  if ((seen_word & bit) != 0) return false;
  seen_word |= bit;
  if (nodes_[child].leaf) {
    if (inclusion_) to.append(field);
    return true;
  }
  if (field.is(bson_type::array)) return false;
  if (!field.is(bson_type::document)) {
    if (!inclusion_) to.append(field);
    return true;
  }
  const auto inner = field.document();
  if (!inner) return false;
  auto open = to.open_document(field.name);
  return apply_fields(*inner, child, seen, open);
}

}  // namespace mongocached::cache
