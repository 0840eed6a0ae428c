#include "daemon/control/fingerprint_inquiry.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "daemon/backoff.hpp"
#include "daemon/control/cluster_identity.hpp"
#include "daemon/control/cluster_link.hpp"
#include "daemon/control/releasable_thread.hpp"

namespace mongocached::daemon {
namespace {

using std::chrono::milliseconds;

}  // namespace

// The thread holds the shared_ptr, so that one whose network hangs can be let go. Locks: telling_ before state_;
// libmongoc is never called with either held.
class fingerprint_inquiry::impl final : public std::enable_shared_from_this<impl> {
 public:
  impl(const upstream_uri& uri, const inquiry_options& options, inquiry_events events)
      : uri_(uri), options_(options), events_(std::move(events)) {}

  void start() {
    thread_.emplace("fingerprint", [self = shared_from_this()] { self->run(); });
  }

  void ask_to_stop() {
    {
      const std::lock_guard lock(telling_);  // waits for a call-back in progress
      closed_ = true;
    }
    const std::lock_guard lock(state_);
    stopping_ = true;
    changed_.notify_all();
    thread_->was_asked();
  }

  void stop() {
    ask_to_stop();
    thread_->finish();
  }

  std::uint64_t ask() {
    const std::lock_guard lock(state_);
    changed_.notify_all();
    return ++asked_;
  }

 private:
  // What came of one attempt.
  struct attempt {
    std::optional<fingerprint_answer> answer{};  // empty: to be tried again
    std::string reason{};                        // then
    bool user_refused = false;
  };

  void run() noexcept {
    while (wait_for_question()) {
      try {
        pursue();
      } catch (const std::exception& e) {
        delayed(e.what());
        sleep(options_.longest_pause);
      } catch (...) {
        delayed("unknown failure");
        sleep(options_.longest_pause);
      }
    }
  }

  // Until no question is open, or stop().
  void pursue() {
    backoff pause(options_.shortest_pause, options_.longest_pause);
    cluster_source source(uri_, {.connect_timeout = options_.connect_timeout});
    cluster_link link(source);
    last_reason_.clear();
    while (true) {
      const std::uint64_t question = newest();
      attempt made = try_once(link);
      if (made.answer) {
        made.answer->question = question;
        return answered(*made.answer);
      }
      delayed(made.reason);
      const auto next = pause.next(random_);
      if (!sleep(made.user_refused ? std::max(next, options_.refused_pause) : next)) return;
    }
  }

  static attempt try_once(cluster_link& link) {
    link_error error;
    link_reply reply;
    if (!link.select(error) || !link.run(fingerprint_command(), reply, error)) {
      // A login that fails says nothing for good: the network may have broken in the midst of it.
      if (!error.from_server || error.authentication || !is_final_refusal(error.code)) {
        return {.reason = error.text, .user_refused = error.authentication};
      }
      return {.answer = fingerprint_answer{.fingerprint = {}, .why_none = error.text}};
    }
    auto found = read_fingerprint(reply.bytes());
    if (!found) return {.reason = "the server's list of collections is malformed"};
    const char* const why = found->empty() ? "the cluster lists no UUID of admin.system.version" : "";
    return {.answer = fingerprint_answer{.fingerprint = std::move(*found), .why_none = why}};
  }

  void answered(const fingerprint_answer& answer) {
    {
      const std::lock_guard lock(state_);
      answered_ = answer.question;
    }
    const std::lock_guard lock(telling_);
    if (!closed_) events_.answered(answer);
  }

  void delayed(const std::string& reason) {
    if (std::exchange(last_reason_, reason) == reason) return;
    const std::lock_guard lock(telling_);
    if (!closed_) events_.delayed(reason);
  }

  std::uint64_t newest() {
    const std::lock_guard lock(state_);
    return asked_;
  }

  // False when stopping.
  bool wait_for_question() {
    std::unique_lock lock(state_);
    changed_.wait(lock, [this] { return stopping_ || asked_ != answered_; });
    return !stopping_;
  }

  bool sleep(milliseconds time) {
    std::unique_lock lock(state_);
    changed_.wait_for(lock, time, [this] { return stopping_; });
    return !stopping_;
  }

  const upstream_uri uri_;
  const inquiry_options options_;
  const inquiry_events events_;
  std::optional<releasable_thread> thread_;

  std::mutex telling_;
  bool closed_ = false;

  std::mutex state_;
  std::condition_variable changed_;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  bool stopping_ = false;

  // The thread's own.
  std::minstd_rand random_{std::random_device{}()};
  std::string last_reason_;
};

fingerprint_inquiry::fingerprint_inquiry(const upstream_uri& uri, const inquiry_options& options, inquiry_events events)
    : impl_(std::make_shared<impl>(uri, options, std::move(events))) {
  impl_->start();
}

fingerprint_inquiry::~fingerprint_inquiry() {
  impl_->stop();
}

void fingerprint_inquiry::ask_to_stop() {
  impl_->ask_to_stop();
}

std::uint64_t fingerprint_inquiry::ask() {
  return impl_->ask();
}

}  // namespace mongocached::daemon
