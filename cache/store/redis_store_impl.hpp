// shared_store on one Redis connection. Internal to cache_store.
//
//   down       no connection
//   preparing  connected: asking for the run id, loading the scripts
//   adopting   finding out the epoch, or making a new one if this Redis has not been seen before (coherence C4, mode
//   `ttl`) ready      unacknowledged invalidations go first, then requests are taken
#pragma once

#include <boost/asio/post.hpp>

#include "cache/store/circuit_breaker.hpp"
#include "cache/store/redis_commands.hpp"
#include "cache/store/redis_shared.hpp"
#include "cache/store/resp_connection.hpp"
#include "cache/store/unacknowledged_list.hpp"

namespace mongocached::cache {

class redis_store final : public shared_store {
 public:
  redis_store(boost::asio::io_context& context, std::shared_ptr<redis_shared> shared);
  ~redis_store() override;

  void get(std::string_view ns, key_kind kind, std::span<const key_view> keys,
           std::function<void(get_result)> done) override;
  void lease(std::string_view ns, key_kind kind, std::span<const key_view> keys,
             std::function<void(lease_result)> done) override;
  void release(std::string_view ns, key_kind kind, std::span<const key_view> keys,
               std::span<const lease_token> tokens) override;
  void fill(std::string_view ns, key_kind kind, const generation_token& generation, std::span<const fill_item> items,
            std::function<void(std::span<const fill_outcome>)> done) override;
  void invalidate(invalidation what, std::function<void(store_status)> done) override;
  void get_checked(std::string_view ns, std::span<const key_view> keys, std::function<void(get_result)> done) override;
  void announce(const invalidation& what, std::function<void(store_status)> done) override;
  void load_mark(std::function<void(store_status, coverage_mark)> done) override;
  void save_mark(const coverage_mark& mark, std::function<void(store_status)> done) override;

 private:
  enum class phase : std::uint8_t { down, preparing, adopting, ready };
  using owed = std::shared_ptr<owed_invalidation>;

  // Calls `answer` in a later turn, unless the store is gone by then.
  template <class Answer>
  void later(Answer answer) {
    boost::asio::post(context_, [alive = std::weak_ptr<bool>(life_), answer = std::move(answer)]() mutable {
      if (!alive.expired()) answer();
    });
  }
  [[nodiscard]] std::array<std::uint8_t, 16> random_name();

  // Connection.
  void opened();
  void closed(const std::string& reason);
  void prepare();
  void prepared(const reply& answer);
  void adopt_epoch();
  void become_ready();
  void leave_ready(const std::string& reason);

  // Requests.
  [[nodiscard]] bool may_ask(instant now);
  void submit(instant now, unsigned commands, reply_handler done, bool late = false);
  // Books a reply; false if it is none to go on with: timeout, closed, an error, or Redis is not trusted any more.
  [[nodiscard]] bool good(const reply& answer);
  void failed(std::span<const resp_value> replies);
  // Reads the reply to announce() or save_mark(), and tells whether it was done.
  [[nodiscard]] reply_handler tells_whether_done(std::function<void(store_status)> done);
  void saw_epoch(const epoch_name& seen, std::uint64_t serial);
  void leased(const reply& answer, std::span<const hex_128> keys, std::span<const lease_token> tokens,
              std::uint64_t serial, const std::function<void(lease_result)>& done);

  // Invalidations.
  void keep(const owed& item, bool sent);
  void send(const owed& item);
  void sent(const owed& item, std::uint64_t serial, const reply& answer);
  [[nodiscard]] bool acknowledges(const owed& item, std::uint64_t serial, const reply& answer);
  void replay();
  void retry_later();

  boost::asio::io_context& context_;
  std::shared_ptr<redis_shared> shared_;
  std::shared_ptr<store_counters> counters_;
  redis_commands commands_;
  circuit_breaker breaker_;
  unacknowledged_list unacknowledged_;
  std::shared_ptr<resp_connection> connection_;
  boost::asio::steady_timer retry_timer_;
  bool retry_armed_ = false;
  phase phase_ = phase::down;
  bool asking_epoch_ = false;
  std::string run_id_;
  std::mt19937_64 random_;
  std::shared_ptr<bool> life_ = std::make_shared<bool>();
};

}  // namespace mongocached::cache
