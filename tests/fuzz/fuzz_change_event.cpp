// read_change_event on any well-formed document: what it tells lies in the event and is what its kind needs, and reads
// the same when it is written as an event again. token_time on any as well.
#include "cache/change_event.hpp"
#include "protocol/bson_builder.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::cache;
using namespace mongocached::protocol;
using mongocached::fuzz::require;

bool lies_in(byte_view part, byte_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

bool is_name(std::string_view text) {
  return text.find('\0') == std::string_view::npos;
}

void require_views(const change_event& event, byte_view raw) {
  for (const auto name : {event.db, event.collection, event.to_db, event.to_collection}) {
    require(lies_in(as_bytes(name), raw), "a name lies in the event");
    require(is_name(name), "no NUL in a name");
  }
  for (const auto path : event.paths) require(lies_in(as_bytes(path), raw), "a path lies in the event");
  require(!event.id || lies_in(event.id->raw, raw), "the id lies in the event");
  if (!event.document) return;
  require(lies_in(event.document->bytes(), raw), "the document lies in the event");
  require(event.document->validate(), "a document of a well-formed event is well-formed");
}

void require_whole(const change_event& event) {
  const auto is = [&event](auto... kinds) { return ((event.what == kinds) || ...); };
  const bool of_document = is(change_kind::inserted, change_kind::replaced, change_kind::updated, change_kind::deleted);
  const bool of_collection = of_document || is(change_kind::collection, change_kind::rename);
  require(is(change_kind::unknown) || (event.time != 0 && !event.db.empty()), "what is known has a time and a place");
  require(!event.db.empty() || event.collection.empty(), "no collection without its database");
  require(event.db.find('.') == std::string_view::npos, "no dot in a database");
  require(!of_collection || !event.collection.empty(), "a collection");
  require(of_document == event.id.has_value(), "an id where it is a document's");
  require(!event.document || is(change_kind::inserted, change_kind::replaced), "a document where it was written whole");
  require(event.paths.empty() || is(change_kind::updated), "paths where it was updated");
  require(is(change_kind::rename) == !event.to_db.empty(), "another database where it was renamed");
  require(is(change_kind::rename) == !event.to_collection.empty(), "another collection where it was renamed");
}

std::string_view operation_of(change_kind what) {
  switch (what) {
    case change_kind::inserted:
      return "insert";
    case change_kind::replaced:
      return "replace";
    case change_kind::updated:
      return "update";
    case change_kind::deleted:
      return "delete";
    case change_kind::collection:
      return "drop";
    case change_kind::rename:
      return "rename";
    case change_kind::database:
      return "dropDatabase";
    case change_kind::unknown:
      break;
  }
  return "unknown";
}

void append_namespace(bson_builder& event, std::string_view field, std::string_view db, std::string_view collection) {
  if (db.empty()) return;
  auto ns = event.open_document(field);
  ns.append_string("db", db);
  if (!collection.empty()) ns.append_string("coll", collection);
}

byte_buffer written_again(const change_event& event) {
  byte_buffer out;
  bson_builder b(out);
  b.append_string("operationType", operation_of(event.what));
  if (event.time != 0) b.append_timestamp("clusterTime", event.time);
  append_namespace(b, "ns", event.db, event.collection);
  append_namespace(b, "to", event.to_db, event.to_collection);
  if (event.id) b.open_document("documentKey").append_as("_id", *event.id);
  if (event.document) b.append_document("fullDocument", *event.document);
  if (event.what == change_kind::updated) {
    auto description = b.open_document("updateDescription");
    auto removed = description.open_array("removedFields");
    std::size_t i = 0;
    for (const auto path : event.paths) removed.append_string(std::to_string(i++), path);
  }
  b.finish();
  return out;
}

void require_same(const change_event& a, const change_event& b) {
  require(a.what == b.what && a.time == b.time, "the same kind and time");
  require(a.db == b.db && a.collection == b.collection, "the same namespace");
  require(a.to_db == b.to_db && a.to_collection == b.to_collection, "the same new name");
  require(a.id.has_value() == b.id.has_value() && a.document.has_value() == b.document.has_value(), "the same parts");
  require(!a.id || (a.id->type == b.id->type && equal(a.id->value, b.id->value)), "the same id");
  require(!a.document || equal(a.document->bytes(), b.document->bytes()), "the same document");
  require(a.paths == b.paths, "the same paths");
}

void check_event(bson_view raw) {
  const auto event = read_change_event(raw);
  require_views(event, raw.bytes());
  require_whole(event);
  const auto bytes = written_again(event);
  const auto again = bson_view::parse(bytes);
  require(again && again->validate(), "an event of ours is well-formed");
  require_same(event, read_change_event(*again));
}

void check_token(bson_view raw) {
  const auto time = token_time(raw);
  if (time == 0) return;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string data = "82";
  for (int shift = 60; shift >= 0; shift -= 4) data += digits[(time >> shift) & 15];
  byte_buffer bytes;
  bson_builder(bytes).append_string("_data", data);
  require(token_time(*bson_view::parse(bytes)) == time, "the same time from a key string");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t smallest = 5;
  if (size < smallest) return 0;
  // The frame put right, so that mutations reach what lies in it.
  byte_buffer bytes(data, data + size);
  store_le(bytes.data(), static_cast<std::int32_t>(size));
  bytes.back() = 0;
  const mongocached::test_support::exact_copy copy(bytes);
  const auto raw = bson_view::parse(copy.view());
  if (!raw || !raw->validate()) return 0;  // nobody asks what such an event says
  check_event(*raw);
  check_token(*raw);
  const auto token = raw->find("_id");
  if (const auto inside = token ? token->object() : std::nullopt) check_token(*inside);
  return 0;
}
