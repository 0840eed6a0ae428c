#include "cache/store/redis_commands.hpp"

#include <algorithm>
#include <tuple>

#include "cache/store/redis_replies.hpp"

namespace mongocached::cache {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t keys_a_call = 256;          // a long call keeps everyone else waiting
constexpr std::size_t invalidated_a_call = 1024;  // no write's keys fall one after the other
constexpr std::size_t fill_items_a_call = 64;
constexpr std::size_t fill_bytes_a_call = 1'048'576;
constexpr std::int64_t record_ms = milliseconds(std::chrono::minutes(10)).count();        // longer than any flight
constexpr std::int64_t generation_ms = milliseconds(std::chrono::hours(24 * 7)).count();  // from its last lease

std::string_view field(std::string_view info, std::string_view name) {
  std::size_t at = info.find(name);
  if (at == std::string_view::npos) return {};
  info.remove_prefix(at + name.size());
  return info.substr(0, info.find_first_of("\r\n"));
}

std::size_t fills_in_call(std::span<const fill_item> items) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  while (count < items.size() && count < fill_items_a_call && (count == 0 || bytes < fill_bytes_a_call)) {
    bytes += items[count++].bytes.size();
  }
  return count;
}

fill_outcome outcome_of(char letter) {
  switch (letter) {
    case 's':
      return fill_outcome::stored;
    case 'l':
      return fill_outcome::lease;
    case 'f':
      return fill_outcome::fence;
    case 'g':
      return fill_outcome::generation;
    default:
      return fill_outcome::unavailable;
  }
}

}  // namespace

redis_commands::redis_commands(const std::string& prefix, const std::string& cluster_id, duration lease_time,
                               const sender_id& sender)
    : keys_(prefix, cluster_id), lease_ms_(whole_ms(lease_time)), sender_(sender) {}

resp_command redis_commands::call(byte_buffer& out, redis_script script, std::size_t keys, std::size_t arguments) {
  resp_command command(out, 3 + keys + arguments);
  command.arg("EVALSHA").arg(names_[static_cast<std::size_t>(script)]).arg(static_cast<std::int64_t>(keys));
  return command;
}

unsigned redis_commands::prepare(byte_buffer& out) {
  resp_command(out, 2).arg("INFO").arg("server");
  for (const auto script : all_redis_scripts) resp_command(out, 3).arg("SCRIPT").arg("LOAD").arg(script_text(script));
  return 1 + static_cast<unsigned>(all_redis_scripts.size());
}

std::optional<redis_server_facts> redis_commands::read_prepared(std::span<resp_value> replies) {
  if (!first_error(replies).empty() || replies.size() != 1 + all_redis_scripts.size()) return std::nullopt;
  redis_server_facts facts{std::string(field(replies[0].text(), "run_id:")),
                           std::string(field(replies[0].text(), "redis_mode:"))};
  if (facts.run_id.empty()) return std::nullopt;
  for (std::size_t i = 0; i < names_.size(); ++i) names_[i] = replies[1 + i].text();
  return facts;
}

unsigned redis_commands::epoch(byte_buffer& out, const std::string& run_id, const epoch_name& candidate, bool force) {
  call(out, redis_script::epoch, 1, 3)
      .arg(keys_.epoch())
      .arg(run_id)
      .arg(as_text(to_hex(candidate)))
      .arg(force ? "1" : "0");
  return 1;
}

std::optional<epoch_name> redis_commands::read_epoch(std::span<resp_value> replies) {
  if (replies.size() != 1 || replies[0].type != resp_type::bulk) return std::nullopt;
  return bytes_from_hex(replies[0].text());
}

unsigned redis_commands::get(byte_buffer& out, std::string_view ns, key_kind kind, std::span<const key_view> keys) {
  // Times to live first: a value that is replaced in between is then taken for the older one, which ends sooner. The
  // tokens come in the same MGET as the values, so that what was valid is valid now.
  hashes_.clear();
  for (const auto& key : keys) {
    hashes_.push_back(redis_hash(key.bytes));
    resp_command(out, 2).arg("PTTL").arg(keys_.value(hashes_.back()));
  }
  resp_command command(out, 3 + keys.size());
  command.arg("MGET").arg(keys_.epoch()).arg(keys_.generation(kind, ns));
  for (const auto& hash : hashes_) command.arg(keys_.value(hash));
  return static_cast<unsigned>(keys.size()) + 1;
}

std::optional<get_result> redis_commands::read_get(std::span<resp_value> replies, std::size_t keys, duration elapsed) {
  if (replies.size() != keys + 1 || !is_array(replies[keys], keys + 2)) return std::nullopt;
  auto& values = replies[keys].elements;
  get_result result;
  result.status = store_status::ok;
  result.epoch = bytes_from_hex(values[0].text().substr(0, 32)).value_or(epoch_name{});
  std::tie(result.generation, result.newest) = token_in(values[1]);
  result.items.resize(keys);
  for (std::size_t i = 0; i < keys; ++i) {
    if (replies[i].type != resp_type::integer) return std::nullopt;
    result.items[i] = item_in(replies[i], values[2 + i], elapsed);
  }
  return result;
}

unsigned redis_commands::lease(byte_buffer& out, const epoch_name& epoch, std::string_view ns, key_kind kind,
                               std::span<const hex_128> keys, std::span<const lease_token> tokens,
                               const generation_token& candidate) {
  unsigned calls = 0;
  for (; !keys.empty(); ++calls) {
    const auto count = std::min(keys.size(), keys_a_call);
    auto command = call(out, redis_script::lease, 4 + count, 5 + count);
    command.arg(keys_.epoch()).arg(keys_.mark()).arg(keys_.generation(kind, ns)).arg(keys_.pending(ns));
    for (const auto& key : keys.first(count)) command.arg(keys_.record(key));
    command.arg(as_text(to_hex(epoch))).arg(as_text(to_hex(candidate)));
    command.arg(lease_ms_).arg(record_ms).arg(generation_ms);
    for (const auto& token : tokens.first(count)) command.arg(as_text(to_hex(token)));
    keys = keys.subspan(count);
    tokens = tokens.subspan(count);
  }
  return calls;
}

std::optional<lease_answer> redis_commands::read_lease(std::span<resp_value> replies, std::size_t keys) {
  lease_answer answer;
  for (std::size_t call = 0; call < replies.size(); ++call) {
    const auto& reply = replies[call];
    if (!is_array(reply, 2)) return std::nullopt;
    const auto epoch = epoch_in(reply.elements[0]);
    const auto generation = token_in(reply.elements[1]).first;
    if (!epoch) return std::nullopt;
    // A later call of the same batch may have met another epoch or generation: then nothing was leased.
    if (call > 0 && (*epoch != answer.epoch || generation != answer.generation)) return std::nullopt;
    answer.epoch = *epoch;
    answer.generation = generation;
    for (std::size_t i = 2; i < reply.elements.size(); ++i) {
      const auto text = reply.elements[i].text();
      const auto fence = text.empty() ? std::nullopt : time_from_hex(text.substr(1));
      if (!fence) return std::nullopt;
      answer.records.push_back({text[0] == '1', text[0] == '2', *fence});
    }
  }
  if (answer.records.size() != keys && !answer.records.empty()) return std::nullopt;
  return answer;
}

unsigned redis_commands::release(byte_buffer& out, std::span<const hex_128> keys, std::span<const lease_token> tokens) {
  unsigned calls = 0;
  for (; !keys.empty(); ++calls) {
    const auto count = std::min(keys.size(), keys_a_call);
    auto command = call(out, redis_script::release, count, count);
    for (const auto& key : keys.first(count)) command.arg(keys_.record(key));
    for (const auto& token : tokens.first(count)) command.arg(as_text(to_hex(token)));
    keys = keys.subspan(count);
    tokens = tokens.subspan(count);
  }
  return calls;
}

unsigned redis_commands::fill(byte_buffer& out, const epoch_name& epoch, std::string_view ns, key_kind kind,
                              const generation_token& generation, std::span<const fill_item> items) {
  unsigned calls = 0;
  for (; !items.empty(); ++calls) {
    const auto count = fills_in_call(items);
    auto command = call(out, redis_script::fill, 3 + 2 * count, 2 + 4 * count);
    command.arg(keys_.epoch()).arg(keys_.generation(kind, ns)).arg(keys_.pending(ns));
    for (const auto& item : items.first(count)) {
      const auto hash = redis_hash(item.key.bytes);
      command.arg(keys_.value(hash)).arg(keys_.record(hash));
    }
    command.arg(as_text(to_hex(epoch))).arg(as_text(to_hex(generation)));
    for (const auto& item : items.first(count)) {
      const auto ms = std::chrono::floor<milliseconds>(item.remaining).count();
      command.arg(as_text(to_hex(item.token))).arg(as_text(to_hex(item.lower)));
      command.arg(std::max<std::int64_t>(ms, 1)).arg(item.bytes);
    }
    items = items.subspan(count);
  }
  return calls;
}

std::optional<fill_answer> redis_commands::read_fill(std::span<resp_value> replies, std::size_t items) {
  fill_answer answer;
  for (const auto& reply : replies) {
    if (!is_array(reply, 2)) return std::nullopt;
    const auto epoch = epoch_in(reply.elements[0]);
    if (!epoch) return std::nullopt;
    answer.epoch = *epoch;
    if (reply.elements[1].bytes.empty()) {  // another epoch: for all that is left
      answer.outcomes.resize(items, fill_outcome::epoch);
      return answer;
    }
    for (const char letter : reply.elements[1].text()) answer.outcomes.push_back(outcome_of(letter));
  }
  if (answer.outcomes.size() != items) return std::nullopt;
  return answer;
}

unsigned redis_commands::invalidate(byte_buffer& out, const invalidation& what) {
  const byte_view all(what.key_bytes);
  const auto flag = [](bool set) { return std::string_view(set ? "1" : "0"); };
  const auto announcement = to_hex(what.announcement);
  const auto message = encode_push(sender_, what);
  unsigned calls = 0;
  for (std::size_t at = 0; calls == 0 || at < what.keys.size(); ++calls) {
    const auto count = std::min(what.keys.size() - at, invalidated_a_call);
    const bool last = at + count == what.keys.size();
    auto command = call(out, redis_script::inval, 5 + 2 * count, 9);
    command.arg(keys_.epoch()).arg(keys_.mark());
    command.arg(keys_.generation(key_kind::document, what.ns)).arg(keys_.generation(key_kind::list, what.ns));
    command.arg(keys_.pending(what.ns));
    for (const auto& [begin, end] : std::span(what.keys).subspan(at, count)) {
      const auto hash = redis_hash(all.subspan(begin, end - begin));
      command.arg(keys_.value(hash)).arg(keys_.record(hash));
    }
    command.arg(as_text(to_hex(what.fence))).arg(whole_ms(what.hold)).arg(record_ms);
    command.arg(flag(what.documents)).arg(flag(what.lists)).arg(flag(what.seen));
    command.arg(what.announced ? as_text(announcement) : std::string_view());
    command.arg(keys_.push()).arg(last ? byte_view(message) : byte_view());
    at += count;
  }
  return calls;
}

std::optional<invalidation_answer> redis_commands::read_invalidation(std::span<resp_value> replies) {
  invalidation_answer answer{{}, true};
  for (const auto& reply : replies) {
    if (!is_array(reply, 2)) return std::nullopt;
    const auto epoch = epoch_in(reply.elements[0]);
    answer.epoch = epoch.value_or(epoch_name{});  // a spoiled record counts as none
    answer.done = answer.done && reply.elements[1].text() == "1";
  }
  return answer;
}

std::string_view redis_commands::first_error(std::span<const resp_value> replies) noexcept {
  for (const auto& reply : replies) {
    if (reply.is_error()) return reply.text();
  }
  return {};
}

}  // namespace mongocached::cache
