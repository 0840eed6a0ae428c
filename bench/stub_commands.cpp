#include "bench/stub_commands.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "bench/stub_request.hpp"
#include "protocol/op_query.hpp"
#include "protocol/reply.hpp"

namespace mongocached::bench {
namespace {

using protocol::bson_builder;
using protocol::bson_element;
using protocol::bson_view;
using protocol::byte_buffer;
using protocol::byte_view;

constexpr std::int64_t stream_cursor = 4'611'686'018'427'387'905;
constexpr std::array<std::uint8_t, 12> election_id{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::int32_t command_not_found = 59;

std::int64_t milliseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Documents in the first sequence, or 1 where the command carries none.
std::int32_t count_documents(byte_view rest) {
  if (rest.size() < 5 || rest[0] != 1) return 1;
  const auto size = protocol::load_le<std::uint32_t>(rest.data() + 1);
  std::size_t at = 5;
  while (at < rest.size() && rest[at] != 0) ++at;
  ++at;
  std::int32_t count = 0;
  const std::size_t end = std::min<std::size_t>(rest.size(), 1 + std::size_t{size});
  while (at + 4 <= end) {
    const auto length = protocol::load_le<std::uint32_t>(rest.data() + at);
    if (length < 5) break;
    at += length;
    ++count;
  }
  return count;
}

}  // namespace

template <class AppendFields>
void stub_commands::reply(byte_buffer& out, std::int32_t request_id, AppendFields append_fields) {
  const std::size_t start = protocol::begin_op_msg(out, 0, request_id);
  bson_builder body(out);
  append_fields(body);
  body.append_double("ok", 1.0);
  append_times(body, now());
  body.finish();
  protocol::end_op_msg(out, start);
}

void stub_commands::error(byte_buffer& out, std::int32_t request_id, std::int32_t code, std::string_view code_name,
                          std::string_view text) {
  const std::size_t start = protocol::begin_op_msg(out, 0, request_id);
  bson_builder body(out);
  body.append_double("ok", 0.0);
  body.append_string("errmsg", text);
  body.append_int32("code", code);
  body.append_string("codeName", code_name);
  append_times(body, now());
  body.finish();
  protocol::end_op_msg(out, start);
}

std::optional<int> stub_commands::answer(byte_buffer& out, byte_view message) {
  stub_request r;
  if (!r.parse(message)) {
    error(out, r.id, 9, "FailedToParse", "no command that this stub can read");
    return {};
  }
  if (r.legacy) {
    byte_buffer document;
    bson_builder body(document);
    hello(body, r);
    body.append_double("ok", 1.0);
    append_times(body, now());
    body.finish();
    protocol::append_op_reply(out, 0, r.id, bson_view::parse(document).value_or(bson_view()));
    return {};
  }
  if (r.name == "find") {
    find(out, r);
  } else if (r.name == "insert" || r.name == "update" || r.name == "delete") {
    write(out, r);
  } else if (r.name == "getMore") {
    return static_cast<int>(std::clamp<std::int64_t>(r.max_time_ms, 1, 60'000));
  } else if (!simple(out, r)) {
    error(out, r.id, command_not_found, "CommandNotFound", "no such command: '" + std::string(r.name) + "'");
  }
  return {};
}

void stub_commands::answer_later(byte_buffer& out, std::int32_t request_id) {
  reply(out, request_id, [&](bson_builder& body) {
    auto cursor = body.open_document("cursor");
    cursor.open_array("nextBatch").finish();
    append_resume_token(cursor);
    cursor.append_int64("id", stream_cursor);
    cursor.append_string("ns", "admin.$cmd.aggregate");
  });
}

void stub_commands::find(byte_buffer& out, const stub_request& r) {
  ns_.assign(r.db).append(".").append(r.collection);
  if (r.filter.find("_id")) {
    state_.find_reply.append_one(out, r.id, id_of(r.filter), ns_, now());
  } else {
    constexpr std::int64_t most = 1000;
    const auto count = static_cast<std::size_t>(r.limit > 0 ? std::min(r.limit, most) : std::int64_t{10});
    state_.find_reply.append_list(out, r.id, count, ns_, now());
  }
}

void stub_commands::write(byte_buffer& out, const stub_request& r) {
  const std::int32_t count = count_documents(r.rest);
  const std::uint64_t time = state_.operation_time.fetch_add(1, std::memory_order_relaxed) + 1;
  reply(out, r.id, [&](bson_builder& body) {
    body.append_int32("n", count);
    body.append_object_id("electionId", election_id);
    {
      auto op_time = body.open_document("opTime");
      op_time.append_timestamp("ts", time);
      op_time.append_int64("t", 1);
    }
    if (r.name == "update") body.append_int32("nModified", count);
  });
}

void stub_commands::aggregate(byte_buffer& out, const stub_request& r) {
  const auto stage = r.pipeline.find("0").value_or(bson_element{}).document().value_or(bson_view());
  if (!stage.find("$changeStream")) {
    return error(out, r.id, command_not_found, "CommandNotFound", "this stub aggregates nothing but change streams");
  }
  reply(out, r.id, [&](bson_builder& body) {
    auto cursor = body.open_document("cursor");
    cursor.open_array("firstBatch").finish();
    append_resume_token(cursor);
    cursor.append_int64("id", stream_cursor);
    cursor.append_string("ns", "admin.$cmd.aggregate");
  });
}

// A high-water mark as mongod writes it: KeyString of {time, version 2, token type 0, transaction index 0,
// fromInvalidate false}.
void stub_commands::append_resume_token(bson_builder& cursor) {
  std::array<char, 48> data{};
  const std::uint64_t time = now();
  std::snprintf(data.data(), data.size(), "82%08X%08X2B0429296E1404", static_cast<unsigned>(time >> 32),
                static_cast<unsigned>(time));
  auto token = cursor.open_document("postBatchResumeToken");
  token.append_string("_data", data.data());
}

// Any name that the filter asks for is a plain collection.
void stub_commands::list_collections(byte_buffer& out, const stub_request& r) {
  static constexpr std::array<std::uint8_t, 16> uuid{0x10, 0, 0, 0, 0, 0, 0x40, 0, 0x80};
  const auto name = r.filter.find("name").value_or(bson_element{}).text().value_or("docs");
  ns_.assign(r.db).append(".$cmd.listCollections");
  reply(out, r.id, [&](bson_builder& body) {
    auto cursor = body.open_document("cursor");
    cursor.append_int64("id", 0);
    cursor.append_string("ns", ns_);
    auto batch = cursor.open_array("firstBatch");
    auto entry = batch.open_document("0");
    entry.append_string("name", name);
    entry.append_string("type", "collection");
    entry.open_document("options").finish();
    auto info = entry.open_document("info");
    info.append_bool("readOnly", false);
    info.append_binary("uuid", 4, uuid);
  });
}

void stub_commands::hello(bson_builder& body, const stub_request& r) {
  if (r.wants_hello_ok) body.append_bool("helloOk", true);
  {
    auto hosts = body.open_array("hosts");
    hosts.append_string("0", state_.host);
  }
  body.append_string("setName", stub_set_name);
  body.append_int32("setVersion", 1);
  body.append_bool(r.name == "hello" ? "isWritablePrimary" : "ismaster", true);
  body.append_bool("secondary", false);
  body.append_string("primary", state_.host);
  body.append_string("me", state_.host);
  body.append_object_id("electionId", election_id);
  {
    auto last_write = body.open_document("lastWrite");
    for (const auto& [time, date] : {std::pair{"opTime", "lastWriteDate"}, {"majorityOpTime", "majorityWriteDate"}}) {
      auto op_time = last_write.open_document(time);
      op_time.append_timestamp("ts", now());
      op_time.append_int64("t", 1);
      op_time.finish();
      last_write.append_date(date, static_cast<std::int64_t>(now() >> 32) * 1000);
    }
  }
  body.append_int32("maxBsonObjectSize", 16'777'216);
  body.append_int32("maxMessageSizeBytes", 48'000'000);
  body.append_int32("maxWriteBatchSize", 100'000);
  body.append_date("localTime", milliseconds_now());
  body.append_int32("logicalSessionTimeoutMinutes", 30);
  body.append_int32("connectionId", ++connection_ids_);
  body.append_int32("minWireVersion", 0);
  body.append_int32("maxWireVersion", 21);
  body.append_bool("readOnly", false);
}

bool stub_commands::simple(byte_buffer& out, const stub_request& r) {
  if (r.name == "hello" || r.name == "isMaster" || r.name == "ismaster") {
    reply(out, r.id, [&](bson_builder& body) { hello(body, r); });
  } else if (r.name == "ping" || r.name == "endSessions" || r.name == "killCursors") {
    reply(out, r.id, [](bson_builder&) {});
  } else if (r.name == "aggregate") {
    aggregate(out, r);
  } else if (r.name == "listCollections") {
    list_collections(out, r);
  } else if (r.name == "buildInfo" || r.name == "buildinfo") {
    reply(out, r.id, [](bson_builder& body) {
      body.append_string("version", "7.0.0");
      body.append_string("gitVersion", "stub");
      auto version = body.open_array("versionArray");
      version.append_int32("0", 7);
      for (const auto* place : {"1", "2", "3"}) version.append_int32(place, 0);
      version.finish();
      body.append_int32("bits", 64);
      body.append_int32("maxBsonObjectSize", 16'777'216);
    });
  } else if (r.name == "connectionStatus") {
    reply(out, r.id, [](bson_builder& body) {
      auto info = body.open_document("authInfo");
      info.open_array("authenticatedUsers").finish();
      info.open_array("authenticatedUserRoles").finish();
    });
  } else {
    return false;
  }
  return true;
}

}  // namespace mongocached::bench
