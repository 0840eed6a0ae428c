#include "cache/plan_cache.hpp"

#include <algorithm>
#include <cstring>

namespace mongocached::cache {
namespace {

using protocol::bson_type;

constexpr int first_worth = 8;
constexpr int highest_worth = 64;

// Where the name of the collection stands in a message whose first element is `find`: behind header, flags, the kind of
// the section, the document's size and the element's own head.
constexpr std::size_t body_at = protocol::header_size + 4 + 1;
constexpr std::size_t element_at = body_at + 4;
constexpr std::string_view element_head(
    "\x02"
    "find\0",
    6);
constexpr std::size_t name_at = element_at + element_head.size() + 4;

// Of a value that may be another one of the same type, how much in front says its size and kind; empty where only the
// very same will do.
std::optional<std::size_t> fixed_front_of(bson_type type) noexcept {
  switch (type) {
    case bson_type::object_id:
    case bson_type::int32:
    case bson_type::int64:
    case bson_type::float64:
    case bson_type::decimal128:
    case bson_type::date:
    case bson_type::timestamp:
      return 0;
    case bson_type::string:
      return 4;
    case bson_type::binary:
      return 5;
    default:
      return std::nullopt;
  }
}

}  // namespace

plan_cache::slot* plan_cache::slot_of(byte_view message) noexcept {
  if (message.size() < name_at || message.size() > longest_message) return nullptr;
  // No flags: a checksum would cover what varies. One section, the body.
  const bool plain = protocol::load_le<std::uint32_t>(message.data() + protocol::header_size) == 0 &&
                     message[body_at - 1] == 0 &&
                     std::memcmp(message.data() + element_at, element_head.data(), element_head.size()) == 0;
  if (!plain) return nullptr;
  const auto rest = message.subspan(name_at);
  const std::size_t name_size = protocol::load_le<std::uint32_t>(message.data() + name_at - 4);
  const auto hash = hash_key(rest.first(std::min(name_size, rest.size())));
  return &slots_[(hash + message.size()) % slots];
}

const plan_cache::prepared* plan_cache::find(byte_view message) {
  auto* const at = slot_of(message);
  if (at == nullptr) return nullptr;
  if (!at->is_the_same(message)) {
    if (!at->is_like(message)) return nullptr;
    at->take_varying(message);
    at->has_key = at->renew_key();
    if (!at->has_key) return nullptr;
  }
  at->worth = std::min(at->worth + 1, highest_worth);
  return &at->ready;
}

bool plan_cache::copy_plan(byte_view message, const read_rules& rules, read_plan& out) {
  const auto* const known = find(message);
  if (known == nullptr || known->plan.rules != rules || known->plan.projected) return false;
  out = known->plan;
  for (auto& id : out.ids) {
    id.value.name = protocol::as_text(protocol::moved(protocol::as_bytes(id.value.name), known->message, message));
    id.value.value = protocol::moved(id.value.value, known->message, message);
    id.value.raw = protocol::moved(id.value.raw, known->message, message);
  }
  return true;
}

void plan_cache::add(byte_view message, const read_rules& rules) {
  auto* const at = slot_of(message);
  if (at == nullptr) return;
  const bool known = at->filled && at->is_like(message);
  if (known ? at->ready.plan.rules == rules : at->filled && --at->worth > 0) return;
  at->worth = first_worth;
  at->filled = false;
  at->filled = at->prepare(message, rules);
}

void plan_cache::forget(const prepared& found) noexcept {
  if (auto* const at = slot_of(found.message)) at->filled = false;
}

// A request is looked up when it is met, and again by the flow that it becomes.
bool plan_cache::slot::is_the_same(byte_view message) const noexcept {
  return filled && has_key && message.size() == bytes.size() &&
         std::memcmp(message.data() + 4, bytes.data() + 4, 8) == 0 &&
         std::memcmp(message.data(), bytes.data(), bytes.size()) == 0;
}

bool plan_cache::slot::is_like(byte_view message) const noexcept {
  if (!filled || message.size() != bytes.size()) return false;
  std::size_t at = 0;
  for (const auto& [begin, end] : std::span(varying).first(varying_count)) {
    if (std::memcmp(bytes.data() + at, message.data() + at, begin - at) != 0) return false;
    at = end;
  }
  return std::memcmp(bytes.data() + at, message.data() + at, bytes.size() - at) == 0;
}

void plan_cache::slot::take_varying(byte_view message) noexcept {
  for (const auto& [begin, end] : std::span(varying).first(varying_count)) {
    std::memcpy(bytes.data() + begin, message.data() + begin, end - begin);
  }
  ready.command.request_id = protocol::load_le<std::int32_t>(message.data() + 4);
}

// False: a value that has no key.
bool plan_cache::slot::renew_key() {
  if (prefix_size == 0) return true;
  auto& key = ready.plan.key_bytes;
  auto& id = ready.plan.ids.front();
  key.resize(prefix_size);
  if (!append_canonical_id(key, id.value)) return false;
  id.key_end = key.size();
  id.hash = hash_key(key);
  return true;
}

void plan_cache::slot::vary(byte_view part, std::size_t fixed_front, std::size_t fixed_back) {
  const auto begin = static_cast<std::size_t>(part.data() - bytes.data());
  varying[varying_count++] = {begin + fixed_front, begin + part.size() - fixed_back};
}

// Reads its own copy, so that all views are into that.
bool plan_cache::slot::prepare(byte_view message, const read_rules& rules) {
  bytes.assign(message.begin(), message.end());
  ready.message = bytes;
  auto& command = ready.command;
  auto& plan = ready.plan;
  protocol::op_msg parsed;
  if (protocol::parse_op_msg(bytes, parsed) != protocol::op_msg_error::none || parsed.sequence_count != 0) return false;
  const auto request_id = protocol::load_le<std::int32_t>(bytes.data() + 4);
  if (protocol::view_command(parsed, request_id, command) != protocol::command_error::none || !command.is("find")) {
    return false;
  }
  plan_read(command, rules, plan);
  if (plan.shape == read_shape::forward) return false;

  varying_count = 0;
  vary(byte_view(bytes).subspan(4, 8), 0, 0);
  constexpr std::size_t size_field = 4;
  constexpr std::size_t terminator = 1;
  if (!command.lsid.empty()) vary(command.lsid, size_field, terminator);
  if (const auto time = parsed.body.find("$clusterTime")) vary(time->value, size_field, terminator);
  prefix_size = 0;
  has_key = true;
  if (plan.shape == read_shape::by_id) {
    const auto& id = plan.ids.front().value;
    if (const auto front = fixed_front_of(id.type)) {
      vary(id.value, *front, id.is(bson_type::string) ? terminator : 0);
      byte_buffer prefix;
      append_key_prefix(prefix, key_kind::document, command.db, command.collection);
      prefix_size = prefix.size();
    }
  }
  std::ranges::sort(std::span(varying).first(varying_count), {}, &range::begin);
  return true;
}

}  // namespace mongocached::cache
