// What goes to the client: the turn's answers, and replies that a flow hands over.
#include "daemon/session/session.hpp"

namespace mongocached::daemon {
namespace {

// A thread's room for replies is not held beyond this.
constexpr std::size_t output_kept = 4UL << 20;

}  // namespace

session::unsent session::flush() {
  auto& out = thread_.output;
  if (out.empty()) return {};
  unsent rest;
  if (!open_) {  // what is left here would go to the thread's next client
    out.clear();
    return rest;
  }
  const auto [size, how] = client_.send(out);
  if (is_lost(how)) {
    close_lost(how);
  } else if (size < out.size()) {
    rest.bytes.assign(out.begin() + static_cast<std::ptrdiff_t>(size), out.end());
    rest.held = hold(rest.bytes.size());
  }
  out.clear();
  if (out.capacity() > output_kept) protocol::byte_buffer().swap(out);
  return rest;
}

void session::compress_reply(std::size_t start) {
  auto& out = thread_.output;
  if (!compressor_ || out.size() < start + protocol::header_size) return;
  protocol::byte_buffer packed;
  protocol::append_compressed(packed, protocol::byte_view(out).subspan(start), *compressor_);
  out.resize(start);
  out.insert(out.end(), packed.begin(), packed.end());
}

prompt<bool> session::send_reply(protocol::byte_view message) {
  if (legacy_) return send_legacy(message);
  if (compressor_) return send_compressed(message);
  return send(message);
}

task<bool> session::send_compressed(protocol::byte_view message) {
  protocol::byte_buffer packed;
  protocol::append_compressed(packed, message, *compressor_);
  co_return co_await send(packed);
}

prompt<bool> session::send(protocol::byte_view bytes) {
  if (!open_) return false;
  const auto [size, how] = client_.send(bytes);
  if (is_lost(how)) {
    close_lost(how);
    return false;
  }
  if (size == bytes.size()) return true;
  return send_rest(bytes.subspan(size));
}

// What the client did not take at once.
task<bool> session::send_rest(protocol::byte_view bytes) {
  bool going_on = true;
  while (going_on && !bytes.empty()) {
    stalled_since_ = data_thread::now();
    deadline_ = stalled_since_ + stall_limit;  // of progress, not of the whole
    co_await client_.writable();
    stalled_since_ = deadline_ = {};
    if (!open_) co_return false;
    const auto [size, how] = client_.send(bytes);
    bytes = bytes.subspan(size);
    going_on = !is_lost(how);
    if (!going_on) close_lost(how);
  }
  co_return going_on;
}

}  // namespace mongocached::daemon
