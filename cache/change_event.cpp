#include "cache/change_event.hpp"

#include <algorithm>
#include <array>

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;

change_kind kind_of(std::string_view operation) {
  struct pair {
    std::string_view operation;
    change_kind kind;
  };
  static constexpr std::array kinds{
      pair{"insert", change_kind::inserted},
      pair{"replace", change_kind::replaced},
      pair{"update", change_kind::updated},
      pair{"delete", change_kind::deleted},
      pair{"drop", change_kind::collection},
      pair{"create", change_kind::collection},
      pair{"modify", change_kind::collection},
      pair{"createIndexes", change_kind::collection},
      pair{"dropIndexes", change_kind::collection},
      pair{"startIndexBuild", change_kind::collection},
      pair{"abortIndexBuild", change_kind::collection},
      pair{"shardCollection", change_kind::collection},
      pair{"refineCollectionShardKey", change_kind::collection},
      pair{"reshardCollection", change_kind::collection},
      pair{"rename", change_kind::rename},
      pair{"dropDatabase", change_kind::database},
  };
  const auto* const found =
      std::find_if(kinds.begin(), kinds.end(), [&](const pair& p) { return p.operation == operation; });
  return found == kinds.end() ? change_kind::unknown : found->kind;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos;
}

// {db, coll} under `field`; coll may be missing. False, with both empty, where it is no namespace.
bool read_namespace(bson_view event, std::string_view field, std::string_view& db, std::string_view& collection) {
  const auto element = event.find(field);
  const auto ns = element ? element->object() : std::nullopt;
  if (!ns) return false;
  const auto db_field = ns->find("db");
  const auto collection_field = ns->find("coll");
  if (!db_field || !db_field->is(bson_type::string)) return false;
  const auto name = db_field->text().value_or("");
  if (!is_name(name) || name.find('.') != std::string_view::npos) return false;
  if (collection_field) {
    if (!collection_field->is(bson_type::string)) return false;
    const auto part = collection_field->text().value_or("");
    if (!is_name(part)) return false;
    collection = part;
  }
  db = name;
  return true;
}

// The paths in one array of updateDescription, which may be missing; `read` takes the path out of an item.
template <class Reader>
bool read_paths(bson_view description, std::string_view field, std::vector<std::string_view>& paths, Reader read) {
  const auto element = description.find(field);
  if (!element) return true;
  const auto items = element->array();
  if (!items) return false;
  bson_element item;
  bson_cursor cursor(*items);
  while (cursor.next(item)) {
    const std::optional<bson_element> path = read(item);
    if (!path || !path->is(bson_type::string)) return false;
    paths.push_back(path->text().value_or(""));
  }
  return !cursor.failed();
}

bool read_updated_paths(bson_view event, std::vector<std::string_view>& paths) {
  const auto element = event.find("updateDescription");
  const auto description = element ? element->object() : std::nullopt;
  if (!description) return false;
  if (const auto updated = description->find("updatedFields")) {
    const auto fields = updated->object();
    if (!fields) return false;
    bson_element field;
    bson_cursor cursor(*fields);
    while (cursor.next(field)) paths.push_back(field.name);
    if (cursor.failed()) return false;
  }
  return read_paths(*description, "removedFields", paths,
                    [](const bson_element& item) { return std::optional(item); }) &&
         read_paths(*description, "truncatedArrays", paths, [](const bson_element& item) {
           const auto truncated = item.object();
           return truncated ? truncated->find("field") : std::nullopt;
         });
}

std::optional<bson_element> read_id(bson_view event) {
  const auto element = event.find("documentKey");
  const auto key = element ? element->object() : std::nullopt;
  return key ? key->find("_id") : std::nullopt;
}

// Whether the event has what its kind needs.
bool read_rest(bson_view event, change_event& out) {
  switch (out.what) {
    case change_kind::inserted:
    case change_kind::replaced:
      if (const auto full = event.find("fullDocument")) {
        out.document = full->object();
        if (!out.document && !full->is(bson_type::null)) return false;
      }
      [[fallthrough]];
    case change_kind::deleted:
      out.id = read_id(event);
      return out.id && !out.collection.empty();
    case change_kind::updated:
      out.id = read_id(event);
      return out.id && !out.collection.empty() && read_updated_paths(event, out.paths);
    case change_kind::collection:
      return !out.collection.empty();
    case change_kind::rename:
      return !out.collection.empty() && read_namespace(event, "to", out.to_db, out.to_collection) &&
             !out.to_collection.empty();
    case change_kind::database:
      return true;
    case change_kind::unknown:
      break;
  }
  return false;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False where the text is not hex.
bool read_hex(std::string_view text, protocol::byte_buffer& out) {
  if (text.size() % 2 != 0) return false;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_of(text[i]);
    const int low = digit_of(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return true;
}

cluster_time time_in_document(const protocol::byte_buffer& bytes) {
  const auto document = bson_view::parse(bytes);
  if (!document || !document->validate()) return 0;
  const auto t = document->find("t");
  return t ? t->timestamp().value_or(0) : 0;
}

// 0x82 (a timestamp in a key string), seconds and increment big-endian.
cluster_time time_in_key_string(const protocol::byte_buffer& bytes) {
  if (bytes.size() < 9 || bytes[0] != 0x82) return 0;
  cluster_time time = 0;
  for (std::size_t i = 1; i < 9; ++i) time = time << 8 | bytes[i];
  return time;
}

}  // namespace

change_event read_change_event(bson_view event) {
  change_event out;
  const auto time = event.find("clusterTime");
  out.time = time ? time->timestamp().value_or(0) : 0;
  const auto operation = event.find("operationType");
  if (operation && operation->is(bson_type::string)) out.what = kind_of(operation->text().value_or(""));
  const bool named = read_namespace(event, "ns", out.db, out.collection);
  if (named && out.time != 0 && read_rest(event, out)) return out;
  change_event less;
  less.time = out.time;
  // The other name of a rename that lacks one is not known, so it reaches everything.
  if (out.what != change_kind::rename) {
    less.db = out.db;
    less.collection = out.collection;
  }
  return less;
}

cluster_time token_time(bson_view token) {
  const auto data = token.find("_data");
  if (!data || !data->is(bson_type::string)) return 0;
  protocol::byte_buffer bytes;
  if (!read_hex(data->text().value_or(""), bytes)) return 0;
  const cluster_time time = time_in_document(bytes);
  return time != 0 ? time : time_in_key_string(bytes);
}

}  // namespace mongocached::cache
