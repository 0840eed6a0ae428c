// A primary (or mongos, or standalone) that knows hello and one cluster-level change stream, by a script: the batches
// to come, and what fails. getMore waits for a batch as a server does, up to its maxTimeMS.
#pragma once

#include <condition_variable>
#include <deque>
#include <optional>

#include "support/scripted_upstream.hpp"

namespace mongocached::daemon::testing {

using test_support::answer;
using test_support::array;
using test_support::asked;
using test_support::document;
using test_support::timestamp;
using test_support::value;

constexpr std::uint64_t at(std::uint64_t seconds, std::uint64_t increment = 1) {
  return seconds << 32 | increment;
}

// mongod's form, cut short; `tail` tells apart tokens of one time.
inline document token(std::uint64_t time, std::string_view tail = "04") {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(time));
  return document{{"_data", "82" + std::string(digits.data()) + std::string(tail)}};
}

inline document deleted(std::uint64_t time, int id) {
  return document{{"_id", token(time, "2b")},
                  {"operationType", "delete"},
                  {"clusterTime", timestamp{time}},
                  {"ns", document{{"db", "shop"}, {"coll", "things"}}},
                  {"documentKey", document{{"_id", id}}}};
}

class fake_cluster {
 public:
  enum class role { primary, secondary, mongos, standalone };

  fake_cluster() {
    for (const char* name : {"hello", "isMaster", "ismaster"}) {
      server_.on(name, [this](const asked&) { return hello(); });
    }
    server_.on("listDatabases", [this](const asked&) { return finished(document{{"databases", array{}}}); });
    server_.on("aggregate", [this](const asked& q) { return open(q); });
    server_.on("getMore", [this](const asked& q) { return get_more(q); });
  }

  [[nodiscard]] std::string uri() const { return "mongodb://127.0.0.1:" + std::to_string(server_.port()) + "/"; }
  [[nodiscard]] test_support::scripted_upstream& server() { return server_; }

  void play(role now) {
    const std::lock_guard lock(guard_);
    role_ = now;
  }
  // operationTime of all that follows.
  void tick(std::uint64_t time) {
    const std::lock_guard lock(guard_);
    now_ = time;
  }
  // The next batch, with its position.
  void push(const array& events, const document& position) {
    const std::lock_guard lock(guard_);
    batches_.push_back({events, position});
    changed_.notify_all();
  }
  // The coming aggregates, or getMores, are answered so, one each.
  void on_open(answer what) {
    const std::lock_guard lock(guard_);
    open_answers_.push_back(std::move(what));
  }
  void on_get_more(answer what) {
    const std::lock_guard lock(guard_);
    get_more_answers_.push_back(std::move(what));
    changed_.notify_all();
  }
  // Until a getMore asks to be kept waiting for just this long.
  void wait_for_patience(std::chrono::milliseconds wanted) {
    std::unique_lock lock(guard_);
    if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return patience_ == wanted.count(); })) {
      throw std::logic_error("no getMore was that patient");
    }
  }
  // What the newest, or an earlier, successful or failed aggregate asked for: the $changeStream stage.
  document stage(std::size_t opening) {
    std::unique_lock lock(guard_);
    if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return stages_.size() > opening; })) {
      throw std::logic_error("the stream was not opened so often");
    }
    return stages_[opening];
  }

 private:
  struct batch {
    array events;
    document position;
  };

  document finished(const document& body) {
    const std::lock_guard lock(guard_);
    return finished_locked(body);
  }
  document finished_locked(const document& body) const {
    protocol::byte_buffer bytes;
    {
      protocol::bson_builder builder(bytes);
      protocol::bson_element element;
      for (protocol::bson_cursor cursor(body.view()); cursor.next(element);) builder.append(element);
      builder.append_double("ok", 1.0);
      if (role_ != role::standalone) builder.append_timestamp("operationTime", now_);
    }
    return document(std::move(bytes));
  }

  answer hello() {
    const std::lock_guard lock(guard_);
    const std::string me = "127.0.0.1:" + std::to_string(server_.port());
    const bool writable = role_ != role::secondary;
    const document common{{"isWritablePrimary", writable},
                          {"ismaster", writable},
                          {"helloOk", true},
                          {"minWireVersion", 0},
                          {"maxWireVersion", 17},
                          {"maxBsonObjectSize", 16 * 1024 * 1024},
                          {"maxMessageSizeBytes", 48'000'000},
                          {"logicalSessionTimeoutMinutes", 30},
                          {"localTime", test_support::date{1000}}};
    protocol::byte_buffer bytes;
    {
      protocol::bson_builder builder(bytes);
      protocol::bson_element element;
      for (protocol::bson_cursor cursor(common.view()); cursor.next(element);) builder.append(element);
      if (role_ == role::mongos) builder.append_string("msg", "isdbgrid");
      if (role_ == role::primary || role_ == role::secondary) append_member(builder, me);
    }
    return finished_locked(document(std::move(bytes)));
  }

  void append_member(protocol::bson_builder& builder, const std::string& me) const {
    builder.append_bool("secondary", role_ == role::secondary);
    builder.append_string("setName", "rs");
    builder.append_int32("setVersion", 3);
    builder.append_string("me", me);
    builder.append_array("hosts", test_support::must(protocol::bson_view::parse(array{me}.bytes())));
    const document operation{{"ts", timestamp{now_ - 1}}};
    builder.append_document(
        "lastWrite", document{{"lastWriteDate", test_support::date{1000}}, {"majorityOpTime", operation}}.view());
    if (role_ == role::primary) {
      builder.append_object_id("electionId", std::array<std::uint8_t, 12>{0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9});
    }
  }

  answer open(const asked& question) {
    const std::lock_guard lock(guard_);
    const auto pipeline = test_support::must(test_support::field_in(question.body.view(), "pipeline").array());
    const auto first = test_support::must(test_support::field_in(pipeline, "0").document());
    const auto stage = test_support::must(test_support::field_in(first, "$changeStream").document());
    stages_.emplace_back(protocol::byte_buffer(stage.bytes().begin(), stage.bytes().end()));
    changed_.notify_all();
    if (!open_answers_.empty()) return take(open_answers_);
    const auto resumed = stage.find("resumeAfter");
    const auto time = stage.find("startAtOperationTime");
    if (resumed) {
      const auto bytes = test_support::must(resumed->document()).bytes();
      position_ = document(protocol::byte_buffer(bytes.begin(), bytes.end()));
    } else {
      position_ = token(time ? time->timestamp().value_or(0) : now_);
    }
    return finished_locked(reply("firstBatch", {array{}, position_}));
  }

  answer get_more(const asked& question) {
    const auto patience = test_support::field_in(question.body.view(), "maxTimeMS").integer().value_or(0);
    std::unique_lock lock(guard_);
    patience_ = patience;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::milliseconds(patience),
                      [this] { return !batches_.empty() || !get_more_answers_.empty(); });
    if (!get_more_answers_.empty()) return take(get_more_answers_);
    if (batches_.empty()) return finished_locked(reply("nextBatch", {array{}, position_}));
    const batch next = batches_.front();
    batches_.pop_front();
    position_ = next.position;
    return finished_locked(reply("nextBatch", next));
  }

  static document reply(std::string_view name, const batch& content) {
    const document cursor{{"id", 77L},
                          {"ns", "admin.$cmd.aggregate"},
                          {name, content.events},
                          {"postBatchResumeToken", content.position}};
    return document{{"cursor", cursor}};
  }

  static answer take(std::deque<answer>& from) {
    answer out = from.front();
    from.pop_front();
    return out;
  }

  std::mutex guard_;
  std::condition_variable changed_;
  role role_ = role::primary;
  std::uint64_t now_ = at(100);
  document position_;
  std::deque<batch> batches_;
  std::int64_t patience_ = 0;  // of the newest getMore
  std::deque<answer> open_answers_;
  std::deque<answer> get_more_answers_;
  std::vector<document> stages_;
  test_support::scripted_upstream server_;  // last: its threads end before what they use
};

}  // namespace mongocached::daemon::testing
