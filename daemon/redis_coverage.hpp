// Redis's part in following the stream: it is told of every event, keeps the coverage mark, and is trusted only while
// nothing is missing in it (coherence C3, C4, W7). Private to coherence_feed.
//
// Lives on the control thread; what other threads may call says so. Kept alive by its own operations.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "cache/store/redis_store.hpp"
#include "daemon/metrics.hpp"
#include "daemon/process.hpp"

namespace mongocached::daemon {

class redis_coverage : public std::enable_shared_from_this<redis_coverage> {
 public:
  redis_coverage(process& shared, boost::asio::io_context& control, thread_metrics& metrics);

  void use(std::shared_ptr<cache::redis_hub> hub);
  // No call waits any longer, and nothing is done any more. On the control thread, or once it has ended.
  void stop();

  // Any thread but the control thread; block.

  // The mark of Redis's present epoch; without time and token if there is none, or none within `limit`.
  [[nodiscard]] cache::coverage_mark wait_for_mark(std::chrono::milliseconds limit);
  // A batch was applied here, up to `position`: waits until Redis has acknowledged, or is known to owe it (W7).
  void tell(std::vector<cache::invalidation> events, cache::cluster_time position, protocol::byte_view token);

  // Any thread.

  // The stream begins at this time; 0: at the position of its first batch.
  void began(cache::cluster_time start);
  // What the stream had told is void, or it is no more: Redis is not trusted until it began anew.
  void lost();
  // Redis has another epoch.
  void changed();
  // Nothing that lies in Redis holds any more, for anybody.
  void void_all();

 private:
  struct mark_answer {  // guarded by mutex_
    bool came = false;
    std::optional<cache::coverage_mark> mark;
  };

  void ask_mark(const std::shared_ptr<mark_answer>& answer);
  [[nodiscard]] bool deliver(std::vector<cache::invalidation> events);
  void hear(const cache::push_message& message);
  void every_second();
  void check();
  void judge(const cache::coverage_mark& mark, std::uint64_t term);
  void renew_epoch(std::uint64_t term);
  void save(std::function<void(cache::store_status)> done);
  void trust(const cache::epoch_name& epoch, std::uint64_t term);

  process& shared_;
  boost::asio::io_context& control_;
  thread_metrics& metrics_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<cache::redis_hub> hub_;
  std::unique_ptr<cache::shared_store> store_;
  std::unique_ptr<cache::push_subscriber> subscriber_;
  bool checking_ = false;
  int old_marks_ = 0;  // seen in a row

  std::mutex mutex_;
  std::condition_variable answered_;
  bool stopped_ = false;
  bool began_ = false;
  bool missed_ = false;              // an event came before Redis was known
  std::uint64_t term_ = 0;           // of the stream: counts began() and lost()
  cache::cluster_time start_ = 0;    // of the stream; 0: not known yet
  cache::cluster_time applied_ = 0;  // and acknowledged by Redis, or owed to it
  protocol::byte_buffer token_;      // resumes there
};

}  // namespace mongocached::daemon
