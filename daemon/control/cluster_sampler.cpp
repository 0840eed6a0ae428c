#include "daemon/control/cluster_sampler.hpp"

#include <algorithm>

#include "cache/store/boot_clock.hpp"
#include "daemon/control/stream_commands.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::int32_t command_not_found = 59;
// A password that is wrong is not shown to the server at every period.
constexpr std::chrono::seconds authentication_pause{5};

}  // namespace

void cluster_sampler::stop() {
  const std::lock_guard lock(guard_);
  stopping_ = true;
  changed_.notify_all();
}

void cluster_sampler::renew(const watch_options& options) {
  const std::lock_guard lock(guard_);
  period_ = options.sample_period;
  changed_.notify_all();
}

// False: there is none, stop() was called.
bool cluster_sampler::wait_for_next() {
  const auto soonest = std::chrono::steady_clock::now();  // what was missed is not made up for
  const auto pause = user_refused_ ? authentication_pause : std::chrono::seconds(0);
  std::unique_lock lock(guard_);
  while (!stopping_) {
    const auto next = std::max(due_ + period_, soonest) + pause;
    if (changed_.wait_until(lock, next) == std::cv_status::no_timeout) continue;  // perhaps another period
    due_ = next;
    return true;
  }
  return false;
}

void cluster_sampler::run() noexcept {
  due_ = std::chrono::steady_clock::now();
  do {
    user_refused_ = false;
    try {
      sample();
    } catch (const std::exception& e) {
      report_none(e.what());
    } catch (...) {
      report_none("unknown failure");
    }
  } while (wait_for_next());
  link_.release();
}

void cluster_sampler::report_none(const std::string& reason) noexcept {
  try {
    events_.no_sample(reason);
  } catch (...) {  // there is none, told or not
    return;
  }
}

bool cluster_sampler::ask_mongos(cluster_sample& out, link_error& error) {
  out.mongos = true;
  out.sent = cache::boot_now();
  if (!link_.run(list_databases_command(), reply_, error)) return false;
  out.operation_time = read_operation_time(reply_.bytes());
  return true;
}

bool cluster_sampler::ask_server(cluster_sample& out, link_error& error) {
  out.sent = cache::boot_now();
  if (!link_.run(hello_command(legacy_hello_), reply_, error)) {
    if (error.code == command_not_found) legacy_hello_ = !legacy_hello_;
    return false;
  }
  const auto hello = read_hello(reply_.bytes());
  if (!hello || !hello->writable || hello->mongos) {
    error = {};
    error.text = hello ? "the server is not the primary" : "the server's hello is malformed";
    return false;
  }
  out.operation_time = hello->operation_time;
  out.majority = hello->majority;
  out.election = hello->election;
  out.server = link_.selected_address();
  return true;
}

void cluster_sampler::sample() {
  link_error error;
  cluster_sample out;
  if (link_.select(error) && (link_.selected_mongos() ? ask_mongos(out, error) : ask_server(out, error))) {
    events_.sample(out);
  } else {
    user_refused_ = error.authentication;
    report_none(error.text);
  }
}

}  // namespace mongocached::daemon
