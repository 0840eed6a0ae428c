// The commands of mode `strict` and of the coverage mark.
#include <algorithm>

#include "cache/store/redis_commands.hpp"
#include "cache/store/redis_replies.hpp"

namespace mongocached::cache {
namespace {

constexpr std::size_t checked_a_call = 256;
constexpr std::size_t announced_a_call = 1024;
constexpr std::size_t mark_token_at = 48;

coverage_mark mark_in(const resp_value& value, const epoch_name& epoch) {
  const auto text = value.text();
  if (value.type != resp_type::bulk || text.size() < mark_token_at) return {};
  const auto time = time_from_hex(text.substr(0, 16));
  const auto of = bytes_from_hex(text.substr(16, 32));
  if (!time || !of || *of != epoch || epoch == epoch_name{}) return {};
  const auto token = byte_view(value.bytes).subspan(mark_token_at);
  return {epoch, *time, byte_buffer(token.begin(), token.end())};
}

}  // namespace

unsigned redis_commands::check(byte_buffer& out, std::string_view ns, std::span<const key_view> keys) {
  unsigned calls = 0;
  for (; calls == 0 || !keys.empty(); ++calls) {
    const auto count = std::min(keys.size(), checked_a_call);
    auto command = call(out, redis_script::check, 3 + 2 * count, 0);
    command.arg(keys_.epoch()).arg(keys_.generation(key_kind::document, ns)).arg(keys_.pending(ns));
    for (const auto& key : keys.first(count)) {
      const auto hash = redis_hash(key.bytes);
      command.arg(keys_.value(hash)).arg(keys_.record(hash));
    }
    keys = keys.subspan(count);
  }
  return calls;
}

std::optional<get_result> redis_commands::read_check(std::span<resp_value> replies, std::size_t keys,
                                                     duration elapsed) {
  get_result result;
  result.status = store_status::ok;
  for (std::size_t call = 0; call < replies.size(); ++call) {
    auto& reply = replies[call];
    if (!is_array(reply, 2) || reply.elements.size() % 2 != 0) return std::nullopt;
    const auto epoch = epoch_in(reply.elements[0]).value_or(epoch_name{});
    const auto [generation, newest] = token_in(reply.elements[1]);
    // What one call found says nothing under the epoch or the token that another one saw.
    if (call > 0 && (epoch != result.epoch || generation != result.generation)) return std::nullopt;
    result.epoch = epoch;
    result.generation = generation;
    result.newest = newest;
    for (std::size_t i = 2; i < reply.elements.size(); i += 2) {
      if (reply.elements[i].type != resp_type::integer) return std::nullopt;
      result.items.push_back(item_in(reply.elements[i], reply.elements[i + 1], elapsed));
    }
  }
  if (result.items.size() != keys) return std::nullopt;
  return result;
}

unsigned redis_commands::announce(byte_buffer& out, const invalidation& what) {
  const byte_view all(what.key_bytes);
  unsigned calls = 0;
  for (std::size_t at = 0; calls == 0 || at < what.keys.size(); ++calls) {
    const auto count = std::min(what.keys.size() - at, announced_a_call);
    auto command = call(out, redis_script::announce, 2 + 2 * count, 3);
    command.arg(keys_.epoch()).arg(keys_.pending(what.ns));
    for (const auto& [begin, end] : std::span(what.keys).subspan(at, count)) {
      const auto hash = redis_hash(all.subspan(begin, end - begin));
      command.arg(keys_.value(hash)).arg(keys_.record(hash));
    }
    command.arg(as_text(to_hex(what.announcement))).arg(whole_ms(announce_limit)).arg(what.documents ? "1" : "0");
    at += count;
  }
  return calls;
}

unsigned redis_commands::load_mark(byte_buffer& out) {
  resp_command(out, 3).arg("MGET").arg(keys_.epoch()).arg(keys_.mark());
  return 1;
}

std::optional<redis_commands::mark_answer> redis_commands::read_mark(std::span<resp_value> replies) {
  if (replies.size() != 1 || !is_array(replies[0], 2)) return std::nullopt;
  const auto& values = replies[0].elements;
  mark_answer answer;
  answer.epoch = bytes_from_hex(values[0].text().substr(0, 32)).value_or(epoch_name{});
  answer.mark = mark_in(values[1], answer.epoch);
  return answer;
}

unsigned redis_commands::save_mark(byte_buffer& out, const coverage_mark& mark) {
  auto command = call(out, redis_script::mark, 2, 3);
  command.arg(keys_.epoch()).arg(keys_.mark());
  command.arg(as_text(to_hex(mark.epoch))).arg(as_text(to_hex(mark.time))).arg(byte_view(mark.token));
  return 1;
}

}  // namespace mongocached::cache
