#include "daemon/name_lookup.hpp"

#include <pthread.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "cache/store/boot_clock.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::size_t first_look_around = 64;

name_lookup::answer ask_the_system(const std::string& host) {
  name_lookup::answer out;
  asio::io_context none(1);
  for (const auto& entry : asio::ip::tcp::resolver(none).resolve(host, "", out.error)) {
    out.addresses.push_back(entry.endpoint().address());
  }
  return out;
}

name_lookup::answer failure(error_code why) {
  return {why, {}};
}

}  // namespace

// Owned by its threads too, which end when there is nothing left to look up.
class name_lookup::table : public std::enable_shared_from_this<table> {
 public:
  explicit table(settings with) : with_(std::move(with)) {}

  std::optional<answer> find(const std::string& host, std::weak_ptr<const void> who, taker later) {
    const std::scoped_lock lock(guard_);
    if (stopped_) return failure(asio::error::operation_aborted);
    const auto now = with_.now();
    if (!hosts_.contains(host) && !has_room(now)) return failure(asio::error::no_buffer_space);
    auto& at = hosts_[host];
    if (at.known && now < at.good_until) return at.known;
    at.known.reset();
    const bool hangs = at.under_way == 1 && now - at.begun >= with_.retry && threads_ < with_.threads;
    if (at.under_way == 0 || hangs) {
      if (!begin(host)) return failure(asio::error::try_again);
      ++at.under_way;
      at.begun = now;
    }
    at.add({std::move(who), std::move(later)});
    return std::nullopt;
  }

  void stop() {
    const std::scoped_lock lock(guard_);
    stopped_ = true;
    queue_.clear();
    hosts_.clear();
  }

 private:
  struct waiter {
    std::weak_ptr<const void> who;
    taker later;
  };
  struct known_host {
    std::vector<waiter> waiting;
    std::size_t look_around = first_look_around;  // for those who left, once so many wait
    unsigned under_way = 0;
    cache::instant begun{};  // the newest
    std::optional<answer> known;
    cache::instant good_until{};

    void add(waiter one) {
      if (waiting.size() >= look_around) {
        std::erase_if(waiting, [](const waiter& w) { return w.who.expired(); });
        look_around = std::max(first_look_around, 2 * waiting.size());
      }
      waiting.push_back(std::move(one));
    }
  };

  [[nodiscard]] bool has_room(cache::instant now) {
    if (hosts_.size() < with_.hosts) return true;
    std::erase_if(hosts_, [now](const auto& one) { return one.second.under_way == 0 && one.second.good_until <= now; });
    return hosts_.size() < with_.hosts;
  }

  // With as many threads as may be, one of them takes it when it is free.
  [[nodiscard]] bool begin(const std::string& host) {
    if (threads_ < with_.threads) {
      try {
        std::thread([self = shared_from_this()] { self->look_up(); }).detach();
        ++threads_;
      } catch (const std::system_error&) {
        if (threads_ == 0) return false;
      }
    }
    queue_.push_back(host);
    return true;
  }

  void look_up() {
    ::pthread_setname_np(::pthread_self(), "names");
    std::unique_lock lock(guard_);
    while (!queue_.empty()) {
      const std::string host = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      const auto found = resolve(host);
      lock.lock();
      if (!stopped_) tell(host, found);
    }
    --threads_;
  }

  [[nodiscard]] answer resolve(const std::string& host) const noexcept {
    try {
      return with_.resolve(host);
    } catch (...) {
      return failure(asio::error::no_recovery);
    }
  }

  void tell(const std::string& host, const answer& found) {
    const auto found_at = hosts_.find(host);
    auto& at = found_at->second;
    --at.under_way;
    if (!found.error) {
      at.known = found;
      at.good_until = with_.now() + with_.keep;
    }
    for (const auto& [who, later] : std::exchange(at.waiting, {})) {
      if (const auto waits = who.lock()) later(found);
    }
    if (at.under_way == 0 && !at.known) hosts_.erase(found_at);
  }

  const settings with_;
  std::mutex guard_;
  std::map<std::string, known_host> hosts_;
  std::deque<std::string> queue_;
  std::size_t threads_ = 0;
  bool stopped_ = false;
};

name_lookup::name_lookup(settings with) {
  if (!with.resolve) with.resolve = ask_the_system;
  if (!with.now) with.now = cache::boot_now;
  table_ = std::make_shared<table>(std::move(with));
}

name_lookup::~name_lookup() {
  stop();
}

std::optional<name_lookup::answer> name_lookup::find(const std::string& host, std::weak_ptr<const void> who,
                                                     taker later) {
  error_code no_address;
  const auto address = asio::ip::make_address(host, no_address);
  if (!no_address) return answer{{}, {address}};
  return table_->find(host, std::move(who), std::move(later));
}

void name_lookup::stop() {
  table_->stop();
}

}  // namespace mongocached::daemon
