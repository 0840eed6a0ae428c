#include "daemon/control/stream_follower.hpp"

#include <algorithm>
#include <utility>

namespace mongocached::daemon {
namespace {

using std::chrono::milliseconds;

}  // namespace

void stream_follower::stop() {
  const std::lock_guard lock(guard_);
  stopping_ = true;
  changed_.notify_all();
}

void stream_follower::restart() {
  const std::lock_guard lock(guard_);
  restarting_ = true;
  changed_.notify_all();
}

// The await time counts from the next getMore on.
void stream_follower::renew(const watch_options& options) {
  const std::lock_guard lock(guard_);
  await_ = options.await;
  reopening_ = reopening_ || max_document_ != options.max_document;
  max_document_ = options.max_document;
}

bool stream_follower::interrupted() {
  const std::lock_guard lock(guard_);
  return stopping_ || restarting_ || reopening_;
}

bool stream_follower::stopping() {
  const std::lock_guard lock(guard_);
  return stopping_;
}

bool stream_follower::take_restart() {
  const std::lock_guard lock(guard_);
  return std::exchange(restarting_, false);
}

// For a stream that is about to be opened.
std::uint64_t stream_follower::take_max_document() {
  const std::lock_guard lock(guard_);
  reopening_ = false;
  return max_document_;
}

milliseconds stream_follower::await_time() {
  const std::lock_guard lock(guard_);
  return await_;
}

void stream_follower::wait(milliseconds time) {
  std::unique_lock lock(guard_);
  changed_.wait_for(lock, time, [this] { return stopping_ || restarting_; });
}

void stream_follower::back_off() {
  wait(backoff_.next(random_));
}

void stream_follower::back_off_denied() {
  wait(denied_backoff_.next(random_));
}

void stream_follower::run() noexcept {
  while (!stopping()) {
    if (take_restart()) start_anew();
    try {
      get_over(follow());
    } catch (const std::exception& e) {
      report(stream_state::lost, e.what());
      back_off();
    } catch (...) {
      report(stream_state::lost, "unknown failure");
      back_off();
    }
  }
  link_.release();
}

void stream_follower::start_anew() {
  begun_ = false;
  wire_version_ = -1;  // asks for everything again
  backoff_.reset();
}

void stream_follower::report(stream_state state, const std::string& reason) noexcept {
  try {
    if (reported_ == state && reported_reason_ == reason) return;
    reported_ = state;
    reported_reason_ = reason;
    events_.state(state, reason);
  } catch (...) {  // the state is what it is
    return;
  }
}

stream_follower::ending stream_follower::failure(const link_error& error) const {
  if (error.authentication) return {stream_trouble::denied, error.text};
  if (!error.from_server) return {stream_trouble::lost, error.text};
  return {classify(error.code), error.text + " (code " + std::to_string(error.code) + ")"};
}

// Chooses a server, and where on it to begin.
std::optional<stream_follower::ending> stream_follower::prepare(hello_reply& hello) {
  if (!begun_) {
    start_ = {events_.begin(), 0};
    opened_ = false;
    position_ = {};
    begun_ = true;
  }
  const auto token = protocol::bson_view::parse(start_.token);
  if (!start_.token.empty() && !(token && token->validate())) {
    return ending{stream_trouble::history_lost, "the resume token is malformed"};
  }
  if (opened_ && start_.token.empty() && start_.time == 0) {
    return ending{stream_trouble::history_lost, "the server gave no position to go on from"};
  }
  link_error error;
  if (!link_.select(error)) return failure(error);
  if (!link_.run(hello_command(false), reply_, error) &&
      !(classify(error.code) == stream_trouble::refused && link_.run(hello_command(true), reply_, error))) {
    return failure(error);
  }
  const auto answer = read_hello(reply_.bytes());
  if (!answer) return ending{stream_trouble::lost, "the server's hello is malformed"};
  hello = *answer;
  if (!hello.mongos && !hello.replica_set) {
    return ending{stream_trouble::refused, "a standalone server has no change streams"};
  }
  if (!hello.writable) return ending{stream_trouble::lost, "the server is not the primary"};
  if (hello.max_wire_version != wire_version_) {
    wire_version_ = hello.max_wire_version;
    request_ = fullest_request(wire_version_);
    time_accepted_ = true;
  }
  if (!opened_ && start_.token.empty()) start_.time = time_accepted_ ? hello.operation_time : 0;
  if (!link_.start_session(error)) return failure(error);
  return std::nullopt;
}

void stream_follower::note_opened(const cursor_batch& first, const hello_reply& hello) {
  cache::cluster_time from = 0;
  // Without a time to start at, the server began somewhere before its answer.
  if (!opened_ && start_.token.empty()) from = start_.time != 0 ? start_.time : first.operation_time;
  position_.opened(from, hello.mongos);
  opened_ = true;
  denied_backoff_.reset();
  report(stream_state::opened, name_of(request_));
}

std::optional<stream_follower::ending> stream_follower::apply(const cursor_batch& batch, bool opening) {
  if (interrupted()) return ending{.reason = {}, .interrupted = true};
  if (batch.invalidated) return ending{stream_trouble::history_lost, "the server ended the stream (invalidate)"};
  const auto token = protocol::bson_view::parse(batch.token);
  cache::stream_position next = position_;
  const cache::cluster_time reached = next.applied({.token = token ? cache::token_time(*token) : 0,
                                                    .last_event = batch.last_event,
                                                    .tokens_agree = batch.tokens_agree,
                                                    .operation_time = batch.operation_time});
  // A server may make up the token of an opening that brings nothing, ahead of events that are to come: neither we nor
  // the process behind us may resume there.
  const bool resumes = !batch.token.empty() && !(opening && batch.events.empty());
  const protocol::byte_view behind = resumes ? protocol::byte_view(batch.token) : protocol::byte_view(start_.token);
  events_.batch({.events = batch.events, .token = behind, .position = reached});
  if (resumes) start_.token.assign(batch.token.begin(), batch.token.end());
  position_ = next;
  behind_events_ = !batch.events.empty();
  return std::nullopt;
}

// One getMore.
std::optional<stream_follower::ending> stream_follower::read_on() {
  if (interrupted()) return ending{.reason = {}, .interrupted = true};
  // Behind events an empty batch is what says that there are no more of their time: it is not waited for.
  const auto await = behind_events_ ? milliseconds(1) : await_time();
  link_error error;
  if (!link_.run(get_more_command(cursor_, await.count()), reply_, error)) return failure(error);
  cursor_batch batch;
  if (!read_batch(reply_.bytes(), batch)) return ending{stream_trouble::lost, "a batch is malformed"};
  cursor_ = batch.cursor;
  if (auto end = apply(batch)) return end;
  backoff_.reset();
  return std::nullopt;
}

stream_follower::ending stream_follower::follow() {
  cursor_ = 0;
  hello_reply hello;
  if (auto end = prepare(hello)) return *end;
  link_error error;
  if (!link_.run(open_command(request_, start_, take_max_document()), reply_, error)) return failure(error);
  cursor_batch first;
  if (!read_batch(reply_.bytes(), first)) return {stream_trouble::lost, "the first batch is malformed"};
  cursor_ = first.cursor;
  if (!first.invalidated) note_opened(first, hello);
  auto end = apply(first, true);
  behind_events_ = true;  // the opening's own position does not count: the next one is not waited for
  while (!end) {
    end = cursor_ == 0 ? ending{stream_trouble::lost, "the server closed the stream's cursor"} : read_on();
  }
  if (end->interrupted && cursor_ != 0) {
    static_cast<void>(link_.run(kill_command(cursor_), reply_, error));  // would go by itself after ten minutes
  }
  return *end;
}

// Down the ladder of requests; at its end the token is at fault, or else the server.
void stream_follower::simplify_request(ending end) {
  if (const auto simpler = next_request(request_)) {
    request_ = *simpler;
    return;
  }
  request_ = fullest_request(wire_version_);
  if (!start_.token.empty()) {
    end.trouble = stream_trouble::history_lost;
  } else if (!opened_ && start_.time != 0) {
    time_accepted_ = false;
    return;
  } else {
    end.trouble = stream_trouble::refused;
  }
  get_over(end);
}

void stream_follower::get_over(ending end) {
  link_.end_session();
  if (end.interrupted) return;
  switch (end.trouble) {
    case stream_trouble::lost:
      report(stream_state::lost, end.reason);
      return back_off();
    case stream_trouble::history_lost:
      begun_ = false;
      report(stream_state::history_lost, end.reason);
      return back_off();
    case stream_trouble::refused:
      report(stream_state::refused, end.reason);
      return wait(retry_refused_);
    case stream_trouble::denied:
      report(stream_state::denied, end.reason);
      return back_off_denied();
    case stream_trouble::not_understood:
      return simplify_request(std::move(end));
  }
}

}  // namespace mongocached::daemon
