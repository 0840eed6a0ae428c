#include "daemon/control/stream_commands.hpp"

#include <algorithm>
#include <array>

namespace mongocached::daemon {
namespace {

using protocol::bson_builder;
using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::byte_buffer;
using protocol::byte_view;

// A document of the greatest legal depth stands this deep in a reply: cursor, batch, event, fullDocument.
constexpr int reply_depth = protocol::max_depth + 4;

std::optional<bson_view> checked(byte_view reply) {
  const auto view = bson_view::parse(reply);
  return view && view->validate(reply_depth) ? view : std::nullopt;
}

std::optional<bson_view> object_in(bson_view document, std::string_view field) {
  const auto element = document.find(field);
  return element ? element->object() : std::nullopt;
}

cache::cluster_time timestamp_in(bson_view document, std::string_view field) {
  const auto element = document.find(field);
  return element ? element->timestamp().value_or(0) : 0;
}

bool is_true(bson_view document, std::string_view field) {
  const auto element = document.find(field);
  return element && element->truthy().value_or(false);
}

bool is_expanded(stream_request request) {
  return request == stream_request::expanded || request == stream_request::expanded_without_documents;
}

// {$cond: [{$lte: [{$bsonSize: "$fullDocument"}, most]}, "$fullDocument", "$$REMOVE"]}. The size of a document that is
// missing is null, which is below every number, and the missing document stays missing.
void append_bounded_document(bson_builder& projection, std::uint64_t most) {
  bson_builder field = projection.open_document("fullDocument");
  bson_builder condition = field.open_array("$cond");
  {
    bson_builder test = condition.open_document("0");
    bson_builder sides = test.open_array("$lte");
    {
      bson_builder size = sides.open_document("0");
      size.append_string("$bsonSize", "$fullDocument");
    }
    sides.append_int64("1", static_cast<std::int64_t>(most));
  }
  condition.append_string("1", "$fullDocument");
  condition.append_string("2", "$$REMOVE");
}

void append_projection(bson_builder& pipeline, stream_request request, std::uint64_t max_document) {
  bson_builder stage = pipeline.open_document("1");
  bson_builder projection = stage.open_document("$project");
  for (const char* field : {"operationType", "clusterTime", "ns", "to", "documentKey", "updateDescription"}) {
    projection.append_int32(field, 1);
  }
  if (request == stream_request::expanded || request == stream_request::plain) {
    append_bounded_document(projection, max_document);
  }
}

void append_change_stream(bson_builder& pipeline, stream_request request, const stream_start& start) {
  bson_builder stage = pipeline.open_document("0");
  bson_builder stream = stage.open_document("$changeStream");
  stream.append_bool("allChangesForCluster", true);
  if (is_expanded(request)) stream.append_bool("showExpandedEvents", true);
  if (const auto token = bson_view::parse(start.token)) {
    stream.append_document("resumeAfter", *token);
  } else if (start.time != 0) {
    stream.append_timestamp("startAtOperationTime", start.time);
  }
}

bool read_events(bson_view items, cursor_batch& out) {
  bson_element item;
  bson_cursor cursor(items);
  while (cursor.next(item)) {
    const auto event = item.object();
    if (!event) return false;
    const auto own_token = object_in(*event, "_id");
    if (!own_token) return false;  // could not be resumed behind
    const auto time = timestamp_in(*event, "clusterTime");
    out.tokens_agree = out.tokens_agree && cache::token_time(*own_token) == time;
    out.last_event = std::max(out.last_event, time);
    out.token = own_token->bytes();
    const auto operation = event->find("operationType");
    out.invalidated = out.invalidated || (operation && operation->text() == "invalidate");
    out.events.push_back(*event);
  }
  return !cursor.failed();
}

// electionId as hex and setVersion: opaque, compared for equality only.
std::string election_of(bson_view hello) {
  const auto id = hello.find("electionId");
  if (!id || !id->is(bson_type::object_id)) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : id->value) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xfU];
  }
  const auto version = hello.find("setVersion");
  return out + '/' + std::to_string(version ? version->integer().value_or(0) : 0);
}

template <std::size_t N>
bool contains(const std::array<std::int32_t, N>& codes, std::int32_t code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

cache::cluster_time majority_of(bson_view hello) {
  const auto last_write = object_in(hello, "lastWrite");
  const auto majority = last_write ? object_in(*last_write, "majorityOpTime") : std::nullopt;
  return majority ? timestamp_in(*majority, "ts") : 0;
}

const char* name_of(stream_request request) noexcept {
  switch (request) {
    case stream_request::expanded:
      return "expanded";
    case stream_request::expanded_without_documents:
      return "expanded, without documents";
    case stream_request::plain:
      return "plain";
    case stream_request::plain_without_documents:
      return "plain, without documents";
    case stream_request::bare:
      break;
  }
  return "bare";
}

stream_request fullest_request(std::int32_t max_wire_version) noexcept {
  return max_wire_version >= first_wire_version_expanded ? stream_request::expanded : stream_request::plain;
}

std::optional<stream_request> next_request(stream_request request) noexcept {
  if (request == stream_request::bare) return std::nullopt;
  return static_cast<stream_request>(static_cast<std::uint8_t>(request) + 1);
}

byte_buffer open_command(stream_request request, const stream_start& start, std::uint64_t max_document) {
  byte_buffer out;
  bson_builder command(out);
  command.append_int32("aggregate", 1);
  {
    bson_builder pipeline = command.open_array("pipeline");
    append_change_stream(pipeline, request, start);
    if (request != stream_request::bare) append_projection(pipeline, request, max_document);
  }
  {
    bson_builder cursor = command.open_document("cursor");
    cursor.append_int32("batchSize", stream_batch_size);
  }
  {
    bson_builder concern = command.open_document("readConcern");
    concern.append_string("level", "majority");
  }
  command.finish();
  return out;
}

byte_buffer get_more_command(std::int64_t cursor, std::int64_t await_ms) {
  byte_buffer out;
  bson_builder command(out);
  command.append_int64("getMore", cursor);
  command.append_string("collection", "$cmd.aggregate");
  command.append_int32("batchSize", stream_batch_size);
  command.append_int64("maxTimeMS", await_ms);
  command.finish();
  return out;
}

byte_buffer kill_command(std::int64_t cursor) {
  byte_buffer out;
  bson_builder command(out);
  command.append_string("killCursors", "$cmd.aggregate");
  {
    bson_builder cursors = command.open_array("cursors");
    cursors.append_int64("0", cursor);
  }
  command.finish();
  return out;
}

byte_buffer hello_command(bool legacy) {
  byte_buffer out;
  bson_builder command(out);
  command.append_int32(legacy ? "isMaster" : "hello", 1);
  command.finish();
  return out;
}

byte_buffer list_databases_command() {
  byte_buffer out;
  bson_builder command(out);
  command.append_int32("listDatabases", 1);
  command.append_bool("nameOnly", true);
  command.finish();
  return out;
}

bool read_batch(byte_view reply, cursor_batch& out) {
  out = {};
  const auto view = checked(reply);
  const auto cursor = view ? object_in(*view, "cursor") : std::nullopt;
  if (!cursor) return false;
  const auto id = cursor->find("id");
  if (!id || !(id->is(bson_type::int64) || id->is(bson_type::int32))) return false;
  out.cursor = id->integer().value_or(0);
  auto batch = cursor->find("firstBatch");
  if (!batch) batch = cursor->find("nextBatch");
  const auto items = batch ? batch->array() : std::nullopt;
  if (!items || !read_events(*items, out)) return false;
  if (const auto token = cursor->find("postBatchResumeToken")) {
    const auto position = token->object();
    if (!position) return false;
    if (!position->empty()) out.token = position->bytes();
  }
  out.operation_time = timestamp_in(*view, "operationTime");
  return true;
}

std::optional<hello_reply> read_hello(byte_view reply) {
  const auto view = checked(reply);
  if (!view || !is_true(*view, "ok")) return std::nullopt;
  hello_reply out;
  out.writable = is_true(*view, "isWritablePrimary") || is_true(*view, "ismaster");
  const auto message = view->find("msg");
  out.mongos = message && message->is(bson_type::string) && message->text() == "isdbgrid";
  const auto set_name = view->find("setName");
  out.replica_set = !out.mongos && set_name && set_name->is(bson_type::string);
  const auto wire = view->find("maxWireVersion");
  const auto version = wire ? wire->integer().value_or(0) : 0;
  out.max_wire_version = static_cast<std::int32_t>(std::clamp<std::int64_t>(version, 0, 1000));
  out.operation_time = timestamp_in(*view, "operationTime");
  if (out.mongos) return out;
  out.majority = majority_of(*view);
  out.election = election_of(*view);
  return out;
}

cache::cluster_time read_operation_time(byte_view reply) {
  const auto view = checked(reply);
  return view ? timestamp_in(*view, "operationTime") : 0;
}

stream_trouble classify(std::int32_t code) noexcept {
  // Unauthorized, AuthenticationFailed, ReauthenticationRequired.
  constexpr std::array<std::int32_t, 3> denied{13, 18, 391};
  // IllegalOperation, CommandNotFound, FeatureNotSupported, APIStrictError, AtlasError; $changeStream only on replica
  // sets, unrecognized stage.
  constexpr std::array<std::int32_t, 7> refused{20, 59, 303, 323, 8000, 40324, 40573};
  // CloseChangeStream, InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost; BSONObjectTooLarge: an
  // event that no resume gets past.
  constexpr std::array<std::int32_t, 5> gone{222, 260, 280, 286, 10334};
  // BadValue, FailedToParse, TypeMismatch, InvalidOptions, CommandNotSupported, InvalidPipelineOperator,
  // NotImplemented.
  constexpr std::array<std::int32_t, 7> syntax{2, 9, 14, 72, 115, 168, 238};
  constexpr std::int32_t first_location = 14'000;  // numbers of single checks in the server's source; below: old codes
  if (contains(denied, code)) return stream_trouble::denied;
  if (contains(refused, code)) return stream_trouble::refused;
  if (contains(gone, code)) return stream_trouble::history_lost;
  if (contains(syntax, code) || code >= first_location) return stream_trouble::not_understood;
  return stream_trouble::lost;
}

}  // namespace mongocached::daemon
