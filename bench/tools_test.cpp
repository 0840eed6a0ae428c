// The measuring tools measure what they say: percentiles, keys, the size of the stub's replies, the judgement of
// replies.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <random>
#include <stdexcept>
#include <thread>

#include "bench/find_request.hpp"
#include "bench/histogram.hpp"
#include "bench/key_picker.hpp"
#include "bench/request_writer.hpp"
#include "bench/stub_commands.hpp"
#include "protocol/command_view.hpp"
#include "protocol/reply.hpp"

namespace mongocached::bench {
namespace {

using protocol::as_bytes;
using protocol::byte_buffer;

TEST(histogram, percentiles_are_within_one_percent_of_sorted_samples) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(11, 2);
  std::vector<std::uint64_t> samples;
  histogram h;
  for (int i = 0; i < 100'000; ++i) {
    samples.push_back(static_cast<std::uint64_t>(latency(random)));
    h.record(samples.back());
  }
  std::ranges::sort(samples);
  for (const double p : {1.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto exact = static_cast<double>(samples[static_cast<std::size_t>(std::ceil(p / 100 * 100'000)) - 1]);
    EXPECT_GE(static_cast<double>(h.percentile(p)), exact) << p;
    EXPECT_LE(static_cast<double>(h.percentile(p)), exact * 1.01) << p;
  }
  EXPECT_EQ(h.percentile(100), samples.back());
}

TEST(histogram, small_values_are_exact_and_huge_ones_are_capped) {
  histogram h;
  for (std::uint64_t v = 0; v < 256; ++v) h.record(v);
  EXPECT_EQ(h.percentile(50), 127);
  EXPECT_EQ(h.percentile(100), 255);
  h.record(~0ULL);
  EXPECT_EQ(h.max(), (1ULL << 36) - 1);
  EXPECT_EQ(h.percentile(100), h.max());
}

TEST(key_picker, zipf_follows_its_shares) {
  const auto shares = std::make_shared<const std::vector<double>>(zipf_shares(100, 1.0));
  key_picker keys(key_distribution::zipf, 100, shares, 3, 0, 1);
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 200'000; ++i) ++seen[keys.next()];
  EXPECT_LT(seen.rbegin()->first, 100);
  EXPECT_NEAR(seen[0] / 200'000.0, (*shares)[0], 0.005);
  EXPECT_NEAR(seen[9] / 200'000.0, (*shares)[9] - (*shares)[8], 0.002);
}

TEST(key_picker, distinct_keys_of_two_threads_do_not_meet) {
  key_picker even(key_distribution::distinct, 1, {}, 1, 100, 2);
  key_picker odd(key_distribution::distinct, 1, {}, 1, 101, 2);
  EXPECT_EQ(even.next(), 100);
  EXPECT_EQ(odd.next(), 101);
  EXPECT_EQ(even.next(), 102);
  EXPECT_EQ(odd.next(), 103);
}

byte_buffer answer_of(stub_commands& stub, protocol::byte_view request) {
  byte_buffer out;
  EXPECT_FALSE(stub.answer(out, request).has_value());
  return out;
}

// A writer of the load generator that has greeted a stub.
std::unique_ptr<request_writer> greeted(const load_options& options, stub_commands& stub) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
  channel ours{unique_fd(ends[0])};
  channel theirs{unique_fd(ends[1])};
  auto writer = make_mongo_writer(options, 0);
  const std::jthread server([&] {
    byte_buffer request(protocol::header_size);
    receive_all(theirs, request.data(), request.size());
    request.resize(protocol::load_le<std::uint32_t>(request.data()));
    receive_all(theirs, request.data() + protocol::header_size, request.size() - protocol::header_size);
    const auto reply = answer_of(stub, request);
    send_all(theirs, reply.data(), reply.size());
  });
  writer->greet(ours);
  return writer;
}

struct load_against_stub : testing::Test {
  load_options options;
  stub_state state{560};
  stub_commands stub{state};
  std::unique_ptr<request_writer> writer = greeted(options, stub);
  std::size_t size = 0;
};

TEST_F(load_against_stub, the_document_that_was_asked_for_is_good_at_the_configured_size) {
  for (const std::uint64_t key : {0ULL, 1ULL, 999ULL, ~0ULL}) {
    const auto reply = answer_of(stub, writer->prepare(operation::read, key));
    EXPECT_EQ(reply.size(), 560);
    EXPECT_EQ(writer->judge(reply, size), reply_state::good) << writer->problem();
    EXPECT_EQ(size, 560);
    protocol::op_msg parsed;
    ASSERT_EQ(protocol::parse_op_msg(reply, parsed), protocol::op_msg_error::none);
    EXPECT_TRUE(parsed.body.validate());
  }
}

TEST(find_request, is_a_find_of_that_document) {
  const std::array<std::uint8_t, 12> id{7, 8, 9};
  const auto message = pymongo_find_one(id);
  protocol::op_msg parsed;
  protocol::command_view command;
  ASSERT_EQ(protocol::parse_op_msg(message, parsed), protocol::op_msg_error::none);
  ASSERT_EQ(protocol::view_command(parsed, 1, command), protocol::command_error::none);
  EXPECT_TRUE(command.is("find"));
  EXPECT_EQ(command.db, "bench");
  EXPECT_EQ(command.collection, "docs");
  EXPECT_TRUE(parsed.body.validate());
  EXPECT_TRUE(protocol::equal(parsed.body.find("filter")->document()->find("_id")->value, id));
}

TEST_F(load_against_stub, a_reply_is_incomplete_until_its_last_byte) {
  const auto reply = answer_of(stub, writer->prepare(operation::read, 5));
  for (std::size_t n = 0; n < reply.size(); ++n) {
    EXPECT_EQ(writer->judge({reply.data(), n}, size), reply_state::incomplete) << n;
  }
}

TEST_F(load_against_stub, replies_to_another_request_or_with_another_document_are_bad) {
  const auto of_five = answer_of(stub, writer->prepare(operation::read, 5));
  const auto next = writer->prepare(operation::read, 6);
  EXPECT_EQ(writer->judge(of_five, size), reply_state::bad);
  EXPECT_EQ(writer->problem(), "responseTo is not our request");
  auto forged = of_five;
  std::copy(next.begin() + 4, next.begin() + 8, forged.begin() + 8);
  EXPECT_EQ(writer->judge(forged, size), reply_state::bad);
  EXPECT_EQ(writer->problem(), "another document");
}

TEST_F(load_against_stub, writes_and_lists_are_answered) {
  EXPECT_EQ(writer->judge(answer_of(stub, writer->prepare(operation::write, 3)), size), reply_state::good);
  EXPECT_EQ(writer->judge(answer_of(stub, writer->prepare(operation::top, 3)), size), reply_state::good);
}

TEST_F(load_against_stub, an_error_reply_is_bad) {
  const auto request = writer->prepare(operation::read, 3);
  byte_buffer reply;
  protocol::append_error_reply(reply, 1, protocol::load_le<std::int32_t>(request.data() + 4),
                               protocol::error_code::host_unreachable, "away");
  EXPECT_EQ(writer->judge(reply, size), reply_state::bad);
  EXPECT_EQ(writer->problem(), "error reply: away");
}

TEST(redis_requests, a_value_of_another_key_is_bad) {
  load_options options;
  options.protocol = load_protocol::redis;
  options.value_size = 128;
  const auto writer = make_redis_writer(options);
  EXPECT_EQ(protocol::as_text(writer->prepare(operation::read, 0xab)),
            "*2\r\n$3\r\nGET\r\n$18\r\nk:00000000000000ab\r\n");
  const std::string rest(112, 'v');
  const std::string right = "$128\r\n00000000000000ab" + rest + "\r\n";
  const std::string other = "$128\r\n00000000000000ac" + rest + "\r\n";
  std::size_t size = 0;
  EXPECT_EQ(writer->judge(as_bytes(right), size), reply_state::good);
  EXPECT_EQ(size, right.size());
  for (std::size_t n = 0; n < right.size(); ++n) {
    EXPECT_EQ(writer->judge(as_bytes(std::string_view(right).substr(0, n)), size), reply_state::incomplete) << n;
  }
  EXPECT_EQ(writer->judge(as_bytes(other), size), reply_state::bad);
  EXPECT_EQ(writer->judge(as_bytes("$-1\r\n"), size), reply_state::bad);
}

}  // namespace
}  // namespace mongocached::bench
