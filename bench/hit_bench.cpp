// What the decisions of a hit in memory cost beside the protocol (protocol_bench) and the cache (bench_local_cache):
// from the command to its key, from the entry to the reply, and all parts together. No sockets, no session.
#include <benchmark/benchmark.h>

#include <array>

#include "bench/find_reply.hpp"
#include "bench/find_request.hpp"
#include "cache/heap.hpp"
#include "cache/local_cache.hpp"
#include "cache/read_plan.hpp"
#include "daemon/cached_reply.hpp"

namespace {

using namespace mongocached;

constexpr std::array<std::uint8_t, 12> asked_id{0x66, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
constexpr cache::cluster_time read_at = 2;

protocol::command_view view_of(protocol::byte_view message) {
  protocol::command_view command;
  if (!bench::view_request(message, command)) std::abort();
  return command;
}

// The upstream's reply of that many bytes, and what is kept of it.
struct upstream_reply {
  explicit upstream_reply(std::size_t size) {
    bench::find_reply_writer(size).append_one(message, 1, {protocol::bson_type::object_id, "_id", asked_id, {}},
                                              "bench.docs", read_at);
    protocol::op_msg parsed;
    protocol::reply_view view;
    protocol::cursor_view cursor;
    if (protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none ||
        !protocol::view_reply(parsed.body, view) || !protocol::view_cursor(view, cursor) || !cursor.first_batch) {
      std::abort();
    }
    document = cursor.first_batch->find("0")->value;
    daemon::take_newer(newest, view);
  }
  protocol::byte_buffer message;
  protocol::byte_view document;
  daemon::signed_time newest;
};

cache::entry_ref entry_of(const upstream_reply& reply, const cache::key_view& key) {
  cache::entry_meta meta;
  std::copy_n("oct", sizeof meta.tail, meta.tail);
  meta.upper = read_at;
  meta.expires = cache::instant::max();
  return cache::entry::make(key.bytes, key.hash, meta, reply.document);
}

void append_reply(protocol::byte_buffer& out, const protocol::command_view& command, const cache::entry& held,
                  const daemon::signed_time& newest) {
  const daemon::reply_frame frame{.request_id = 1,
                                  .response_to = command.request_id,
                                  .db = command.db,
                                  .collection = command.collection,
                                  .tail = held.meta().tail,
                                  .operation_time = held.meta().upper,
                                  .cluster_time = &newest};
  daemon::cached_reply reply(out, frame);
  reply.append_document(held.value());
  reply.finish();
}

// Reads the filter and builds the key with its hash.
void plan_and_key(benchmark::State& state) {
  const auto message = bench::pymongo_find_one(asked_id);
  const auto command = view_of(message);
  cache::read_plan plan;
  for ([[maybe_unused]] auto _ : state) {
    cache::plan_read(command, {}, plan);
    benchmark::DoNotOptimize(plan.id_key(0));
  }
}
BENCHMARK(plan_and_key);

void build_cached_reply(benchmark::State& state) {
  const auto message = bench::pymongo_find_one(asked_id);
  const auto command = view_of(message);
  const upstream_reply from(static_cast<std::size_t>(state.range(0)));
  const auto held = entry_of(from, {});
  protocol::byte_buffer out;
  for ([[maybe_unused]] auto _ : state) {
    out.clear();
    append_reply(out, command, *held, from.newest);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  if (out.size() != from.message.size()) state.SkipWithError("the reply is not as long as the upstream's");
}
BENCHMARK(build_cached_reply)->Arg(560)->Arg(16'384)->Arg(1'000'000);

// Frame, command, key, look-up of the one entry there is, reply.
void whole_hit(benchmark::State& state) {
  const auto message = bench::pymongo_find_one(asked_id);
  const upstream_reply from(560);
  cache::read_plan plan;
  cache::plan_read(view_of(message), {}, plan);
  cache::local_cache held({.budget_bytes = 1ULL << 20U});
  if (!held.insert(entry_of(from, plan.id_key(0)))) return state.SkipWithError("the entry was refused");
  protocol::byte_buffer out;
  for ([[maybe_unused]] auto _ : state) {
    out.clear();
    const auto command = view_of(message);
    cache::plan_read(command, {}, plan);
    const auto key = plan.id_key(0);
    const auto found = held.find(key.bytes, key.hash, cache::instant{0});
    if (!found) return state.SkipWithError("the entry is not there");
    append_reply(out, command, *found, from.newest);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(whole_hit);

}  // namespace

int main(int argc, char** argv) {
  mongocached::cache::prepare_heap();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
