// Several stores of one process, each on its own thread. Run it under TSan.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <set>
#include <thread>

#include "store_harness.hpp"

namespace mongocached::cache {
namespace {

// One data thread: a loop that runs until told to stop, with its store.
class data_thread {
 public:
  explicit data_thread(redis_hub& hub) : store(hub.make_store(context)), guard_(context.get_executor()) {
    thread_ = std::thread([this] { context.run(); });
  }
  ~data_thread() {  // NOLINT(bugprone-exception-escape): a test may end here
    boost::asio::post(context, [this] {
      store.reset();
      guard_.reset();
    });
    thread_.join();
  }
  boost::asio::io_context context;
  std::unique_ptr<shared_store> store;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

template <class Condition>
bool wait_for(Condition done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(RedisThreads, TwoStoresShareEpochAndTrust) {
  test::redis_server server;
  std::atomic<int> epochs{0};
  std::atomic<int> answers{0};
  redis_hub hub(options_for(server.uri()), {[&](const epoch_name&) { ++epochs; }, {}, [&](duration) { ++answers; }});
  std::atomic<int> open{0};
  {
    data_thread first(hub);
    data_thread second(hub);
    ASSERT_TRUE(wait_for([&] { return hub.up(); }));
    EXPECT_EQ(epochs.load(), 1);

    for (auto* at : {&first, &second}) {
      ++open;
      boost::asio::post(at->context, [&, at] {
        for (int i = 0; i < 200; ++i) {
          open += 2;
          at->store->get("db.c", key_kind::document, {}, [&](const get_result&) { --open; });
          invalidation what;
          what.ns = "db.c";
          what.everything = i % 50 == 0;
          at->store->invalidate(what, [&](store_status) { --open; });
        }
        --open;
      });
    }
    EXPECT_TRUE(wait_for([&] { return open.load() == 0; }));
    EXPECT_GT(epochs.load(), 1);
    (void)hub.state();
    EXPECT_GT(hub.counters().commands.load(), 400u);
    EXPECT_GT(answers.load(), 0);
  }
  EXPECT_FALSE(hub.up());
}

TEST(RedisThreads, WhatOneStoreOwesKeepsAllFromTrusting) {
  test::redis_server server;
  redis_hub hub(options_for(server.uri(), milliseconds(300)), {});
  std::atomic<bool> answered{false};
  std::atomic<bool> told{false};
  data_thread first(hub);
  data_thread second(hub);
  ASSERT_TRUE(wait_for([&] { return hub.up(); }));
  server.pause();
  boost::asio::post(first.context, [&] {
    invalidation what;
    what.ns = "db.c";
    first.store->invalidate(what, [&](store_status status) {
      EXPECT_EQ(status, store_status::unavailable);
      answered = true;
    });
  });
  EXPECT_TRUE(wait_for([&] { return answered.load(); }));
  EXPECT_FALSE(hub.up());
  EXPECT_EQ(hub.counters().unacknowledged.load(), 1u);
  boost::asio::post(second.context, [&] {
    second.store->get("db.c", key_kind::document, {}, [&](const get_result& result) {
      EXPECT_EQ(result.status, store_status::unavailable);
      told = true;
    });
  });
  EXPECT_TRUE(wait_for([&] { return told.load(); }));
  server.resume();
  EXPECT_TRUE(wait_for([&] { return hub.up(); }));
  EXPECT_EQ(hub.counters().unacknowledged.load(), 0u);
}

// Race 2 over and over: two threads write and read one key; what Redis holds is never older than the last acknowledged
// write.
TEST(RedisThreads, NoFillOutlivesAnInvalidation) {
  test::redis_server server;
  redis_hub hub(options_for(server.uri()), {});
  std::atomic<int> truth{0};         // the database
  std::atomic<int> acknowledged{0};  // what a client knows to be written
  std::atomic<bool> stop{false};
  std::atomic<int> hits{0};
  std::atomic<int> stale{0};
  const std::string bytes = std::string("ddb.c") + '\0' + "1";
  const std::vector<key_view> key = {{protocol::as_bytes(bytes), 0}};

  // Declared in this order because the threads end before what their handlers use.
  std::function<void()> read;
  std::function<void(int)> write;
  std::function<void(int, int)> look_away;
  std::optional<data_thread> reader;
  std::optional<data_thread> writer;
  read = [&] {
    if (stop) return;
    const int known = acknowledged;
    reader->store->get("db.c", key_kind::document, key, [&, known](const get_result& got) {
      if (got.status == store_status::ok && !got.items.at(0).bytes.empty()) {
        ++hits;
        if (std::stoi(std::string(protocol::as_text(got.items[0].bytes))) < known) ++stale;
        return read();
      }
      reader->store->lease("db.c", key_kind::document, key, [&](const lease_result& leased) {
        if (leased.grants.empty() || !leased.grants[0].granted) return read();
        const auto value = std::to_string(truth.load());
        const std::vector<fill_item> items = {
            {key[0], protocol::as_bytes(value), leased.grants[0].token, 0, std::chrono::seconds(60)}};
        reader->store->fill("db.c", key_kind::document, leased.generation, items,
                            [&](std::span<const fill_outcome>) { read(); });
      });
    });
  };
  // After each write the writer looks away for some round trips, so that the reader gets something stored.
  look_away = [&](int round, int times) {
    if (times == 0) return write(round);
    writer->store->get("db.c", key_kind::document, {},
                       [&, round, times](const get_result&) { look_away(round, times - 1); });
  };
  write = [&](int round) {
    if (round == 500) {
      stop = true;
      return;
    }
    const int now = ++truth;
    invalidation what;
    what.ns = "db.c";
    what.key_bytes.assign(key[0].bytes.begin(), key[0].bytes.end());
    what.keys = {{0, what.key_bytes.size()}};
    writer->store->invalidate(what, [&, now, round](store_status status) {
      if (status == store_status::ok) acknowledged = now;
      look_away(round + 1, round % 12);
    });
  };
  reader.emplace(hub);
  writer.emplace(hub);
  ASSERT_TRUE(wait_for([&] { return hub.up(); }));
  boost::asio::post(reader->context, read);
  boost::asio::post(writer->context, [&] { write(0); });
  EXPECT_TRUE(wait_for([&] { return stop.load(); }));
  EXPECT_EQ(stale.load(), 0);
  EXPECT_GT(hits.load(), 0);
}

}  // namespace
}  // namespace mongocached::cache
