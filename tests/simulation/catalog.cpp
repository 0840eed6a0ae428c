#include "catalog.hpp"

#include <algorithm>

#include "cache/find_fields.hpp"
#include "cache/list_key.hpp"
#include "protocol/bson_builder.hpp"

namespace mongocached::simulation {
namespace {

using protocol::bson_builder;
using protocol::bson_view;

struct owned_key {
  byte_buffer bytes;
  std::uint64_t hash = 0;
};

void make_list_key(byte_buffer& out, std::size_t list) {
  byte_buffer filter;
  byte_buffer sort;
  {
    bson_builder f(filter);
    if (list < 2) f.append_int32("kind", static_cast<std::int32_t>(list));
    if (list == 2) {
      auto bound = f.open_document("price");
      bound.append_int32("$gte", 3);
    }
    bson_builder s(sort);
    if (list == 1 || list == 3) s.append_int32("price", 1);
  }
  cache::find_fields fields;
  fields.filter = *bson_view::parse(filter);
  fields.sort = *bson_view::parse(sort);
  if (list == 1) fields.limit = 2;
  if (list == 3) fields.limit = 3;
  cache::begin_key(out, key_kind::list, "shop", "things");
  static_cast<void>(cache::append_list_key(out, fields));
}

std::array<owned_key, items> make_keys() {
  std::array<owned_key, items> keys;
  for (std::size_t i = 0; i < items; ++i) {
    if (i < documents) {
      cache::begin_key(keys[i].bytes, key_kind::document, "shop", "things");
      byte_buffer id;
      bson_builder b(id);
      b.append_int32("_id", static_cast<std::int32_t>(i));
      b.finish();
      static_cast<void>(cache::append_canonical_id(keys[i].bytes, *bson_view::parse(id)->find("_id")));
    } else {
      make_list_key(keys[i].bytes, i - documents);
    }
    keys[i].hash = cache::hash_key(keys[i].bytes);
  }
  return keys;
}

bool in_list(std::size_t list, const row& r) noexcept {
  if (r.version == 0) return false;
  return list == 0 ? r.kind == 0 : list == 1 ? r.kind == 1 : list == 2 ? r.price >= 3 : true;
}

answer read_row(bson_view document, answer out) {
  const auto id = document.find("_id")->integer().value_or(0);
  out.add(static_cast<std::size_t>(id), static_cast<std::uint32_t>(document.find("v")->integer().value_or(0)));
  return out;
}

}  // namespace

key_view key_of(std::size_t item) {
  static const auto keys = make_keys();
  return {keys[item].bytes, keys[item].hash};
}

std::size_t document_of(byte_view key) noexcept {
  for (std::size_t i = 0; i < documents; ++i) {
    if (protocol::equal(key, key_of(i).bytes)) return i;
  }
  return documents;
}

answer evaluate(std::size_t item, const contents& all) noexcept {
  answer out;
  if (item < documents) {
    if (all[item].version != 0) out.add(item, all[item].version);
    return out;
  }
  const auto list = item - documents;
  std::array<std::uint8_t, documents> found{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < documents; ++i) {
    if (in_list(list, all[i])) found[count++] = static_cast<std::uint8_t>(i);
  }
  if (list == 1 || list == 3) {
    std::stable_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count),
                     [&all](auto a, auto b) { return all[a].price < all[b].price; });
    count = std::min<std::size_t>(count, list == 1 ? 2 : 3);
  }
  for (std::size_t i = 0; i < count; ++i) out.add(found[i], all[found[i]].version);
  return out;
}

void append_row(byte_buffer& out, std::size_t id, const row& r) {
  bson_builder b(out);
  b.append_int32("_id", static_cast<std::int32_t>(id));
  b.append_int32("kind", r.kind);
  b.append_int32("price", r.price);
  b.append_int32("v", static_cast<std::int32_t>(r.version));
}

void value_of(byte_buffer& out, std::size_t item, const contents& all) {
  out.clear();
  const auto found = evaluate(item, all);
  if (item < documents) {
    if (found.size != 0) append_row(out, item, all[item]);
    return;
  }
  static constexpr std::array names = {"0", "1", "2", "3"};
  byte_buffer one;
  bson_builder array(out);
  for (std::size_t i = 0; i < found.size; ++i) {
    one.clear();
    append_row(one, found.ids[i], all[found.ids[i]]);
    array.append_document(names[i], *bson_view::parse(one));
  }
}

answer read_answer(std::size_t item, const cache::entry& e) {
  answer out;
  const auto value = bson_view::parse(e.value());
  if (!value) return out;
  if (item < documents) return read_row(*value, out);
  protocol::bson_element element;
  for (protocol::bson_cursor rows(*value); rows.next(element);) out = read_row(*element.document(), out);
  return out;
}

std::string text_of(std::size_t item, const answer& a) {
  std::string out = item < documents ? "document " + std::to_string(item) : "list " + std::to_string(item - documents);
  out += " = [";
  for (std::size_t i = 0; i < a.size; ++i) {
    out += (i == 0 ? "" : " ") + std::to_string(a.ids[i]) + ":v" + std::to_string(a.versions[i]);
  }
  return out + "]";
}

}  // namespace mongocached::simulation
