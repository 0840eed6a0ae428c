#include <algorithm>

#include "daemon/verifier.hpp"
#include "protocol/reply.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_view;
using protocol::byte_view;

bool belongs_to_the_question(std::string_view field) noexcept {
  constexpr std::array<std::string_view, 11> fields{"find", "filter",    "sort",        "projection", "skip", "limit",
                                                    "hint", "batchSize", "singleBatch", "collation",  "let"};
  return std::ranges::find(fields, field) != fields.end();
}

std::vector<byte_view> documents_of(byte_view batch) {
  std::vector<byte_view> out;
  const auto array = bson_view::parse(batch);
  if (!array) return out;
  protocol::bson_element element;
  for (protocol::bson_cursor cursor(*array); cursor.next(element);) out.push_back(element.value);
  return out;
}

// Documents that sort alike may come in any order.
bool same_documents(byte_view a, byte_view b) {
  if (protocol::equal(a, b)) return true;
  auto left = documents_of(a);
  auto right = documents_of(b);
  const auto less = [](byte_view x, byte_view y) { return std::ranges::lexicographical_compare(x, y); };
  std::ranges::sort(left, less);
  std::ranges::sort(right, less);
  return std::ranges::equal(left, right, [](byte_view x, byte_view y) { return protocol::equal(x, y); });
}

}  // namespace

std::optional<served_hit> remember_hit(const protocol::command_view& command, byte_view reply,
                                       std::span<const cache::entry_ref> entries) {
  protocol::op_msg message;
  protocol::reply_view view;
  protocol::cursor_view found;
  if (protocol::parse_op_msg(reply, message) != protocol::op_msg_error::none ||
      !protocol::view_reply(message.body, view) || !protocol::view_cursor(view, found) || !found.first_batch) {
    return std::nullopt;
  }
  served_hit out;
  out.db = command.db;
  const auto batch = found.first_batch->bytes();
  out.batch.assign(batch.begin(), batch.end());
  out.entries.assign(entries.begin(), entries.end());
  protocol::bson_builder question(out.command);
  protocol::bson_element field;
  for (protocol::bson_cursor cursor(command.message.body); cursor.next(field);) {
    if (belongs_to_the_question(field.name)) question.append(field);
  }
  question.finish();
  return out;
}

// Has any of the entries been invalidated since? One that memory still holds has not, whatever else was written.
bool hit_judge::is_overtaken(const served_hit& hit) const {
  return std::ranges::any_of(hit.entries, [&](const cache::entry_ref& e) {
    if (state_.local().peek(e->key(), e->hash()).get() == e.get()) return false;
    return state_.fence(*hit.ns, hit.kind, e->hash()) > e->meta().lower ||
           hit.ns->generation(hit.kind) != e->meta().generation;
  });
}

hit_judge::verdict hit_judge::judge_overtaken(const served_hit& hit) const {
  const bool before_the_answer = std::ranges::any_of(hit.entries, [&](const cache::entry_ref& e) {
    const auto written = state_.fence(*hit.ns, hit.kind, e->hash());
    return written > e->meta().lower && written <= hit.known;
  });
  if (!before_the_answer || hit.who.mode == cache::promise::ttl) return {};
  return {verification::stale, hit.at - hit.covered};
}

void hit_judge::drop(const served_hit& hit) {
  for (const auto& e : hit.entries) static_cast<void>(state_.local().erase_exact(*e));
}

hit_judge::verdict hit_judge::judge(const served_hit& hit) {
  const auto first = ask_(hit);
  if (!first) return {};
  if (same_documents(hit.batch, *first)) return {verification::match, {}};
  const bool by_stream = hit.who.mode != cache::promise::ttl;
  if (by_stream && !wait_(now_())) return {};
  if (is_overtaken(hit)) return judge_overtaken(hit);
  // Nothing that the stream told until after the first reading explains the difference.
  const auto second = ask_(hit);
  if (!second) return {};
  if (same_documents(hit.batch, *second)) return {verification::match, {}};
  if (by_stream && (!wait_(now_()) || is_overtaken(hit))) return {};
  drop(hit);
  if (by_stream) return {verification::mismatch, hit.at - hit.covered};
  // Mode `ttl` allows a write behind the proxy to show late.
  cache::instant oldest = hit.at;
  for (const auto& e : hit.entries) oldest = std::min(oldest, e->meta().filled);
  return {verification::stale, hit.at - oldest};
}

}  // namespace mongocached::daemon
