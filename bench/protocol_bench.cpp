// What the protocol module costs for one look-up by _id: frame and parse the find that PyMongo sends, build the reply
// to it. No sockets: run it with --benchmark_filter to see one part. Allocations in steady state would show here first.
#include <benchmark/benchmark.h>

#include <array>

#include "bench/find_reply.hpp"
#include "bench/find_request.hpp"
#include "protocol/command_view.hpp"
#include "protocol/reply.hpp"

namespace {

using namespace mongocached;

constexpr std::array<std::uint8_t, 12> asked_id{0x66, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

protocol::byte_buffer find_reply(std::size_t size) {
  static constexpr std::array<std::uint8_t, 12> id{};
  protocol::byte_buffer out;
  bench::find_reply_writer(size).append_one(out, 1, {protocol::bson_type::object_id, "_id", id, {}}, "bench.docs", 1);
  return out;
}

void frame_and_view_command(benchmark::State& state) {
  const auto message = bench::pymongo_find_one(asked_id);
  while (state.KeepRunning()) {
    protocol::command_view command;
    if (!bench::view_request(message, command)) return state.SkipWithError("the request was refused");
    benchmark::DoNotOptimize(command);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(message.size()));
}
BENCHMARK(frame_and_view_command);

void parse_message_only(benchmark::State& state) {
  const auto message = bench::pymongo_find_one(asked_id);
  while (state.KeepRunning()) {
    protocol::op_msg parsed;
    if (protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none) {
      return state.SkipWithError("the request was refused");
    }
    benchmark::DoNotOptimize(parsed);
  }
}
BENCHMARK(parse_message_only);

// What a relayed reply of that many bytes costs to read.
void view_find_reply(benchmark::State& state) {
  const auto message = find_reply(static_cast<std::size_t>(state.range(0)));
  while (state.KeepRunning()) {
    protocol::op_msg parsed;
    protocol::reply_view view;
    if (protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none ||
        !protocol::view_reply(parsed.body, view) || !view.cursor) {
      return state.SkipWithError("the reply was not understood");
    }
    benchmark::DoNotOptimize(view);
  }
}
BENCHMARK(view_find_reply)->Arg(560)->Arg(16'384);

// A whole find reply around a document that is at hand, into a buffer that is used again.
void build_find_reply(benchmark::State& state) {
  static constexpr std::array<std::uint8_t, 12> id{};
  const bench::find_reply_writer writer(static_cast<std::size_t>(state.range(0)));
  protocol::byte_buffer out;
  while (state.KeepRunning()) {
    out.clear();
    writer.append_one(out, 1, {protocol::bson_type::object_id, "_id", id, {}}, "bench.docs", 1);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(build_find_reply)->Arg(560)->Arg(16'384);

void build_error_reply(benchmark::State& state) {
  protocol::byte_buffer out;
  while (state.KeepRunning()) {
    out.clear();
    protocol::append_error_reply(out, 1, 1, protocol::error_code::host_unreachable, "no server can be reached");
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(build_error_reply);

}  // namespace

BENCHMARK_MAIN();
