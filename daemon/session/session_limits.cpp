// The session's side towards the rest of the process: its share of a thread's time and of the memory for clients, and
// how long its flow waits for others.
#include "daemon/session/session.hpp"

namespace mongocached::daemon {

session::patience::patience(session& s, cache::instant until, std::function<void()> give_up) : session_(s) {
  if (!s.open_) {
    give_up();
    return;
  }
  s.give_up_at_ = until;
  s.give_up_ = std::move(give_up);
}

void session::end_patience() {
  if (const auto give_up = std::exchange(give_up_, nullptr)) give_up();
}

bool session::goes_on_without_client(cache::instant now) noexcept {
  if (!mute_) return false;
  if (left_since_ == cache::instant{}) left_since_ = now;
  return now - left_since_ < stall_limit;
}

bool session::has_had_its_turn(std::size_t requests) const noexcept {
  const auto size = thread_.output.size();
  if (size >= turn_output || requests >= turn_requests || thread_.turn_spent >= turn_time) return true;
  return size > buffer_budget::uncounted && !thread_.shared.buffers.has_room(size);
}

bool session::is_in_the_way(cache::instant now) noexcept {
  const bool slow = begun_ && begun_->is_slow(now);
  if (!thread_.shared.buffers.is_short()) return false;
  if (slow) return true;
  return stalled_since_ != cache::instant{} && now - stalled_since_ >= thread_.settings->listen.buffer_timeout;
}

held_bytes session::hold(std::size_t size) noexcept {
  auto held = shared().buffers.hold(size);
  if (held.size() > 0) thread_.watch_buffers();
  return held;
}

task<held_bytes> session::room(std::size_t size, cache::instant until) {
  auto& buffers = shared().buffers;
  held_bytes held;
  if (buffers.try_hold(held, size) || until <= data_thread::now()) co_return std::move(held);
  const auto answer = std::make_shared<one_shot<held_bytes>>(thread_.get_executor());
  const auto place = buffers.wait(size, [answer](held_bytes granted) { answer->deliver(std::move(granted)); });
  const patience limited(*this, until, [&buffers, place] { buffers.give_up(place); });
  co_return co_await answer->wait();
}

bool session::hold_input(bool busy) {
  if (input_.empty()) {
    begun_.reset();
    if (input_.capacity() > buffer_budget::uncounted) input_.release();
    input_held_.release();
    return true;
  }
  if (input_.capacity() > input_held_.size()) {
    const auto before = std::exchange(input_held_, {});
    input_held_ = hold(input_.capacity());
  }
  // What has begun is of interest when there is time for it.
  const bool later = busy && !std::exchange(inflates_, false);
  if (later || !shared().buffers.try_hold(input_held_, needed_)) {
    begun_.reset();
    return later;
  }
  note_begun_message();
  return true;
}

// The client is waited for, and its pace is that of the whole message.
void session::note_begun_message() {
  if (needed_ <= input_.size() || input_held_.size() == 0) return begun_.reset();
  if (!begun_) begun_.emplace();
  begun_->await(data_thread::now());
}

// Back-pressure: nothing is read from the client meanwhile.
task<void> session::wait_for_room() {
  const auto until = data_thread::now() + thread_.settings->listen.buffer_timeout;
  auto held = co_await room(needed_, until);
  if (held.size() == 0) co_return;
  input_held_ = std::move(held);
  note_begun_message();
  crowded_ = false;
}

// Its front has to do; the rest is skipped when it comes.
void session::shed_begun_message() {
  crowded_ = false;
  thread_.output.clear();  // of a turn that failed half way
  const auto bytes = input_.data();
  protocol::message_header header;
  static_cast<void>(protocol::read_header(bytes, header));
  // Whether a compressed one wants an answer stands where it cannot be read.
  if (header.code == protocol::opcode::compressed) return close(disconnect::no_room);
  if (header.code != protocol::opcode::msg) return close(disconnect::unsupported_opcode);
  auto& r = place_request(bytes, header);
  r.unread = static_cast<std::size_t>(header.length) - bytes.size();
  r.crowded_out = true;
  input_.consume(bytes.size());
  start_flow();
}

}  // namespace mongocached::daemon
