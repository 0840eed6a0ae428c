// One process: the real coherence objects, and the steps of the daemon's read flow, write flow, sampler and stream
// around them, each step an event of its own.
#pragma once

#include <deque>
#include <optional>

#include "cache/stream_position.hpp"
#include "guards.hpp"
#include "world.hpp"

namespace mongocached::simulation {

struct read_request {
  std::size_t item = 0;
  cache::entry_level level = cache::entry_level::local;
  cluster_time after = 0;
};

enum class write_shape : std::uint8_t {
  by_id,       // keys and changes are known from the command
  keys_only,   // the keys are known, not what is done to them
  collection,  // a filter: any document
  hidden,      // the commit of a transaction that this proxy has not seen whole: anything anywhere
  ddl,
};

struct write_request {
  write_shape shape = write_shape::by_id;
  bool together = false;
  std::vector<statement> statements;
};

// Whoever reads and writes: a session that follows its own times over whatever proxies it uses.
struct client {
  int proxy = 0;
  bool causal = false;
  cluster_time seen = 0;  // newest operationTime
  void saw(cluster_time t) noexcept { seen = t > seen ? t : seen; }
};

class model_proxy {
 public:
  model_proxy(world& w, int index);

  // The process begins anew; nothing of before is left but what is in Redis. start() has to follow.
  void boot();
  void crash(bool messages_arrive);

  flow start();  // loads the mark, opens the stream
  flow read(client& c, read_request r);
  flow write(client& c, write_request r);
  flow sample();
  flow follow();        // one batch
  flow housekeeping();  // retries, settled fills, the mark
  flow start_anew();    // history is lost: new epoch, stream from now

  // Another master, or the same one in another life.
  void reconnect(int which);
  // Where reads go: the old primary or a secondary, and whether the topology knows better by now.
  void set_behind(bool behind, bool known) noexcept {
    reads_behind_ = behind;
    knows_primary_ = known;
  }
  void lose_stream(std::size_t repeat);  // it is resumed, from so many operations before

  [[nodiscard]] bool ready() const noexcept { return started_; }
  [[nodiscard]] bool has_sample() const noexcept { return sampling_; }
  [[nodiscard]] bool is_following() const noexcept { return following_; }
  [[nodiscard]] cache::coherence& state() noexcept { return *state_; }
  [[nodiscard]] std::size_t unacknowledged() const noexcept { return unacknowledged_.size(); }
  [[nodiscard]] bool trusts_redis() const noexcept;
  bool uses_redis = true;
  bool uses_memory = true;
  instant paused_until{};

 private:
  struct waiting_fill {
    model_redis::fill_request what;
    cluster_time upper = 0;
    cache::entry_level level{};
    std::uint64_t generation = 0;
  };
  [[nodiscard]] model_redis& redis() noexcept { return world_.redis(redis_at_); }
  [[nodiscard]] cache::entry_ref make_entry(const read_request& r, std::uint64_t generation, cluster_time lower,
                                            const read_reply& reply, instant sent) const;
  [[nodiscard]] cache::entry_ref adopt(const read_request& r, const cache::reader& who, const model_redis::found& found,
                                       std::uint64_t generation);
  void serve(const read_request& r, instant since, source from, const cache::entry& e);
  void settle_fills();
  flow fill(model_redis::fill_request what);
  [[nodiscard]] bool tell_redis(const cache::invalidation& what);
  void learn_epoch();
  void void_redis();
  void stream_opened(cache::cluster_time from);
  void open_stream_now();
  [[nodiscard]] std::vector<cache::write_target> targets_of(const write_request& r) const;

  world& world_;
  const int index_;
  std::optional<cache::local_cache> local_;
  std::optional<cache::coherence> state_;
  cache::namespace_state* ns_ = nullptr;
  cache::stream_position position_;
  std::size_t cursor_ = 0;
  std::uint32_t life_ = 0;  // of the stream: what was under way before a new opening is void
  cluster_time began_ = 0;  // nothing earlier than this was missed
  bool started_ = false;
  bool sampling_ = false;
  bool following_ = false;
  bool reads_behind_ = false;
  bool knows_primary_ = true;
  int redis_at_ = 0;
  std::uint32_t trusted_epoch_ = 0;
  bool owes_epoch_ = false;  // history was lost, and Redis has not been told
  std::vector<cache::invalidation> unacknowledged_;
  std::vector<waiting_fill> settling_;
  byte_buffer scratch_;
};

}  // namespace mongocached::simulation
