// Redis: used once the cluster is known by its fingerprint, and while it stays the same cluster.
#include <boost/asio/post.hpp>

#include "cache/store/redis_store.hpp"
#include "daemon/control/cluster_identity.hpp"
#include "daemon/server_impl.hpp"

namespace mongocached::daemon {
namespace {

constexpr const char* in_doubt = "the cluster is being asked whether it is still the same";

cache::host_finder redis_finder(const std::shared_ptr<name_lookup>& names) {
  return [names](const std::string& host, const std::shared_ptr<cache::host_answer>& told) {
    const auto tell = [](const cache::host_answer& whom, const name_lookup::answer& found) {
      std::vector<std::string> addresses;
      for (const auto& one : found.addresses) addresses.push_back(one.to_string());
      whom(addresses, found.error ? found.error.message() : "");
    };
    const auto known = names->find(host, told, [tell, to = std::weak_ptr(told)](const name_lookup::answer& found) {
      if (const auto whom = to.lock()) tell(*whom, found);
    });
    if (known) tell(*told, *known);
  };
}

}  // namespace

// Before the topology is followed.
void server::impl::start_inquiry() {
  const auto& settings = *options_.settings;
  if (!settings.redis.uri) return;
  inquiry_options options;
  options.connect_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(settings.upstream.connect_timeout);
  inquiry_events events;
  events.answered = [this](const fingerprint_answer& answer) {
    asio::post(control_, [this, answer] { identify(answer); });
  };
  events.delayed = [this](const std::string& reason) {
    no_redis_yet("the cluster has not said yet which one it is: " + reason);
    log_.warn("redis", "not used until the cluster says which one it is", {{"reason", reason}});
  };
  inquiry_ = std::make_unique<fingerprint_inquiry>(options_.upstream, options, std::move(events));
}

// Another server, or one that was away: it may be one of another cluster under the same name.
void server::impl::meet_upstream(const snapshot_ptr& now) {
  if (!named_by_) named_by_ = now;
  ask_which_cluster();
}

void server::impl::doubt_cluster() {
  doubts_.fetch_add(1);
  if (const auto hub = redis()) hub->withhold(in_doubt);
}

void server::impl::ask_which_cluster() {
  if (!inquiry_ || !named_by_ || another_cluster_) return;
  doubts_cleared_ = doubts_.load();  // by this question's answer
  question_ = inquiry_->ask();
}

void server::impl::ask_which_cluster_later() {
  constexpr auto pause = std::chrono::seconds(5);
  ask_again_timer_.expires_after(pause);
  ask_again_timer_.async_wait([this](const error_code& ec) {
    if (!ec) ask_which_cluster();
  });
}

void server::impl::identify(const fingerprint_answer& answer) {
  if (another_cluster_ || answer.question != question_) return;  // asked again since
  if (answer.fingerprint.empty() && !fingerprint_.empty()) {     // a right was taken away, or a gateway is in trouble
    if (shared_.limiter.admit("cluster does not say", data_thread::now()).allowed) {
      log_.warn("redis", "not used until the cluster says again which one it is", {{"reason", answer.why_none}});
    }
    return ask_which_cluster_later();
  }
  answered_ = answer.question;
  const auto hub = redis();
  if (!hub) return start_redis(answer);
  // One that had none cannot be told from another.
  if (fingerprint_.empty() || answer.fingerprint == fingerprint_) return release_redis();
  another_cluster_ = true;
  hub->withhold("the cluster is another one than at the start");
  log_.error("redis",
             "another cluster goes by the name that Redis was used under: Redis is not used any more until a restart",
             {{"fingerprint", answer.fingerprint}, {"before", fingerprint_}});
  // Here and in Redis: what came between the change and its discovery.
  shared_.coherence.void_everything();
  cache::invalidation everything;
  everything.everything = true;
  administration_->drop(std::move(everything));
}

void server::impl::start_redis(const fingerprint_answer& answer) {
  fingerprint_ = answer.fingerprint;
  if (fingerprint_.empty()) {
    log_.warn("redis",
              "the cluster does not say which one it is: different clusters that are reached by the same names need a "
              "redis.key_prefix of their own each",
              {{"reason", answer.why_none}});
  }
  const auto& settings = options_.settings->redis;
  cache::redis_options with;
  with.uri = settings.uri->reveal();
  with.find_host = redis_finder(shared_.names);
  with.tls_ca_file = settings.tls_ca;
  with.timeout = settings.timeout;
  with.key_prefix = settings.key_prefix;
  with.cluster_id = cluster_id(options_.upstream, *named_by_, fingerprint_);
  // The settings were tried at the start; whatever it is, clients go on without Redis.
  try {
    hand_out(std::make_shared<cache::redis_hub>(std::move(with), redis_events()));
  } catch (const std::exception& e) {
    log_.error("redis", "cannot be used", {{"reason", e.what()}});
    no_redis_yet(e.what());
  }
}

cache::redis_events server::impl::redis_events() {
  cache::redis_events events;
  events.epoch_changed = [this](const cache::epoch_name&) {
    shared_.coherence.void_everything();
    if (const auto feed = feed_.load()) feed->redis_changed();
  };
  events.state_changed = [this](bool up, const std::string& reason) {
    const auto [allowed, unsaid] =  // clients can have it change: one that is slow fails by what they ask of it
        shared_.limiter.admit(up ? "redis is usable" : "redis is not usable", data_thread::now());
    if (!allowed) return;
    if (up) {
      log_.info("redis", "usable", {{"unsaid", unsaid}});
    } else {
      log_.warn("redis", "not usable: going on without it", {{"reason", reason}, {"unsaid", unsaid}});
    }
  };
  events.observed = [this](cache::duration took) {
    const std::scoped_lock lock(redis_metrics_mutex_);
    redis_metrics_.redis_duration.observe(took);
  };
  events.push_refused = [this](const std::string& why) {
    if (why.empty()) return log_.info("redis", "what other processes invalidate is heard of at once again");
    log_.warn("redis",
              "refuses SUBSCRIBE: until it lets us, what other processes invalidate is heard of by the change stream "
              "only",
              {{"reason", why}});
  };
  return events;
}

// Nothing is answered from Redis before every thread has told it what its clients wrote meanwhile.
void server::impl::hand_out(std::shared_ptr<cache::redis_hub> hub) {
  hub->withhold("starting");
  const auto left = stores_to_make_ = std::make_shared<std::atomic<std::size_t>>(threads_.size());
  for (auto& thread : threads_) {
    thread->post([this, hub, left, &t = *thread] {
      t.store = hub->make_store(t.context());
      t.early.hand_to(*t.store);
      if (left->fetch_sub(1) == 1) asio::post(control_, [this] { release_redis(); });
    });
  }
  if (const auto feed = feed_.load()) feed->use_redis(hub);
  const std::scoped_lock lock(redis_mutex_);
  redis_ = std::move(hub);
}

// Once all threads have their stores, unless a question is open or about to be asked: then its answer does.
void server::impl::release_redis() {
  const auto is_sure = [this] { return doubts_.load() == doubts_cleared_; };
  if (stores_to_make_->load() != 0 || answered_ != question_ || another_cluster_ || !is_sure()) return;
  redis()->release();
  if (!is_sure()) redis()->withhold(in_doubt);
}

std::shared_ptr<cache::redis_hub> server::impl::redis() {
  const std::scoped_lock lock(redis_mutex_);
  return redis_;
}

void server::impl::no_redis_yet(const std::string& why) {
  const std::scoped_lock lock(redis_mutex_);
  why_no_redis_ = why;
}

std::string server::impl::redis_state(const cache::redis_hub* hub) {
  if (!options_.settings->redis.uri) return "not configured";
  if (hub != nullptr) return hub->state();
  const std::scoped_lock lock(redis_mutex_);
  return "not used: " + why_no_redis_;
}

}  // namespace mongocached::daemon
