#include "daemon/hello.hpp"

#include <algorithm>

namespace mongocached::daemon {
namespace {

using protocol::bson_builder;
using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_view;

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) noexcept {
  return std::ranges::find(names, name) != names.end();
}

// Of the replica set that we pose as where the upstream is none.
constexpr std::string_view own_set_name = "mongocached";

// H1's allow-list. localTime is our own: a cached hello would carry an old one.
constexpr std::array<std::string_view, 8> passed_on{
    "maxBsonObjectSize", "maxMessageSizeBytes", "maxWriteBatchSize",  "logicalSessionTimeoutMinutes",
    "minWireVersion",    "maxWireVersion",      "saslSupportedMechs", "speculativeAuthenticate"};

constexpr std::array<std::string_view, 5> kept_back{"compression", "loadBalanced", "topologyVersion", "maxAwaitTimeMS",
                                                    "$db"};

// As what it poses: a standalone shows itself as one whatever was asked for, else drivers would send txnNumber.
void append_pose(bson_builder& reply, bson_view upstream, const hello_facts& facts) {
  if (facts.kind == upstream_kind::standalone) return;
  if (facts.advertise.empty()) return reply.append_string("msg", "isdbgrid");
  const auto name = upstream.find("setName");
  reply.append_string("setName", name ? name->text().value_or(own_set_name) : own_set_name);
  reply.append_int32("setVersion", 1);
  reply.append_bool("secondary", false);
  {
    auto hosts = reply.open_array("hosts");
    hosts.append_string("0", facts.advertise);
  }
  reply.append_string("primary", facts.advertise);
  reply.append_string("me", facts.advertise);
}

bool wants_legacy_name(bson_view request) noexcept {
  bson_element first;
  bson_cursor cursor(request);
  return cursor.next(first) && first.name != "hello";
}

}  // namespace

bool is_hello(std::string_view command) noexcept {
  return command == "hello" || command == "isMaster" || command == "ismaster";
}

bool has_user_fields(bson_view request) noexcept {
  bson_element element;
  for (bson_cursor cursor(request); cursor.next(element);) {
    if (element.name == "saslSupportedMechs" || element.name == "speculativeAuthenticate") return true;
  }
  return false;
}

void append_hello_reply(protocol::byte_buffer& out, bson_view request, bson_view upstream, const hello_facts& facts,
                        bool tail) {
  bson_builder reply(out);
  reply.append_bool(wants_legacy_name(request) ? "ismaster" : "isWritablePrimary", true);
  reply.append_bool("helloOk", true);
  append_pose(reply, upstream, facts);
  bson_element element;
  for (bson_cursor cursor(upstream); cursor.next(element);) {
    if (is_one_of(element.name, passed_on)) reply.append(element);
  }
  reply.append_date("localTime", facts.now_ms);
  reply.append_int32("connectionId", facts.connection_id);
  reply.append_bool("readOnly", false);
  protocol::compressor_list::in(request).append_to(reply);
  if (const auto balanced = request.find("loadBalanced"); balanced && balanced->truthy() == true) {
    reply.append_object_id("serviceId", facts.service_id);
  }
  reply.append_double("ok", 1.0);
  if (!tail) {
    if (const auto newest = bson_view::parse(facts.cluster_time)) {
      reply.append_document("$clusterTime", *newest);
      reply.append_timestamp("operationTime", facts.time);
    }
    return;
  }
  for (bson_cursor cursor(upstream); cursor.next(element);) {
    if (element.name == "$clusterTime" || element.name == "operationTime") reply.append(element);
  }
}

void append_upstream_hello(protocol::byte_buffer& out, bson_view request, const protocol::compressor_list& ours) {
  bson_builder command(out);
  bson_element element;
  for (bson_cursor cursor(request); cursor.next(element);) {
    if (!is_one_of(element.name, kept_back)) command.append(element);
  }
  ours.append_to(command);
  command.append_string("$db", "admin");
}

void append_plain_hello(protocol::byte_buffer& out, std::optional<bson_view> client,
                        const protocol::compressor_list& ours) {
  bson_builder command(out);
  command.append_int32("hello", 1);
  if (client) command.append_document("client", *client);
  ours.append_to(command);
  command.append_string("$db", "admin");
}

}  // namespace mongocached::daemon
