// The drain and the end: nothing here waits for the network. What hangs in it was asked to end when the drain began,
// and is let go of within a second.
#include "daemon/milliseconds.hpp"
#include "daemon/server_impl.hpp"

namespace mongocached::daemon {
namespace {

constexpr auto drain_poll = std::chrono::milliseconds(20);

}  // namespace

void server::impl::drain() {
  const auto limit = shared_.settings.load()->listen.drain_timeout;
  stopping_.store(true);
  log_.info("server", "stopping", {{"drain_timeout_ms", milliseconds(limit)}});
  notifier_.stopping("finishing requests");
  listener_->stop();
  for (auto& thread : threads_) thread->drain();
  ask_to_stop();
  finish_drain(data_thread::now() + limit);
}

void server::impl::finish_drain(cache::instant until) {
  const bool busy = std::ranges::any_of(threads_, [](const auto& thread) { return thread->session_count() != 0; });
  if (!busy || data_thread::now() >= until) return control_.stop();
  drain_timer_.expires_after(drain_poll);
  drain_timer_.async_wait([this, until](const error_code& ec) {
    if (!ec) finish_drain(until);
  });
}

// What clients whose requests are being finished can do without.
void server::impl::ask_to_stop() {
  if (const auto feed = feed_.load()) feed->ask_to_stop();
  if (verifier_) verifier_->ask_to_stop();
}

void server::impl::stop_everything() {
  side_port_.reset();
  if (status_desk_) status_desk_->stop();  // it asks the others
  if (listener_) listener_->stop();        // its handler keeps it alive
  listener_.reset();
  ask_to_stop();
  for (auto& thread : threads_) thread->stop();
  shared_.names->stop();                    // what it tells goes to the threads' io_contexts, and to ours
  if (topology_) topology_->ask_to_stop();  // the data threads asked it for checks
  if (inquiry_) inquiry_->ask_to_stop();    // the topology asked it
  if (const auto feed = feed_.load()) feed->stop();
  if (verifier_) verifier_->stop();
  topology_.reset();
  inquiry_.reset();
}

}  // namespace mongocached::daemon
