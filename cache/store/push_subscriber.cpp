#include "cache/store/push_subscriber.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "cache/store/boot_clock.hpp"
#include "cache/store/redis_keys.hpp"
#include "cache/store/redis_shared.hpp"
#include "cache/store/redis_store.hpp"
#include "cache/store/resp_connection.hpp"

namespace mongocached::cache {
namespace {

class redis_subscriber final : public push_subscriber {
 public:
  redis_subscriber(boost::asio::io_context& context, std::shared_ptr<redis_shared> shared, handler told)
      : shared_(std::move(shared)),
        told_(std::move(told)),
        channel_(redis_keys(shared_->options.key_prefix, shared_->options.cluster_id).push()),
        connection_(std::make_shared<resp_connection>(
            context, settings(),
            connection_events{[this] { opened(); }, [this](const std::string&) { turn(false); }})) {
    // In the first turn of the loop, as a store's.
    boost::asio::post(context, [alive = std::weak_ptr<bool>(life_), to = connection_] {
      if (!alive.expired()) to->start();
    });
  }
  ~redis_subscriber() override {
    connection_->stop();
    turn(false);
  }
  redis_subscriber(const redis_subscriber&) = delete;
  redis_subscriber& operator=(const redis_subscriber&) = delete;

  [[nodiscard]] bool subscribed() const noexcept override { return on_; }

 private:
  [[nodiscard]] connection_settings settings() {
    auto out = settings_of(*shared_);
    out.pipeline.limits = {.bulk = 65'536, .line = 4096, .elements = 16, .total = 131'072, .depth = 2};
    out.pipeline.on_message = [this](byte_view channel, byte_view message) { heard(channel, message); };
    return out;
  }

  void opened() {
    resp_command(connection_->output(), 2).arg("SUBSCRIBE").arg(channel_);
    connection_->submit(
        boot_now(), 1, [this](const reply& answer) { confirmed(answer); }, true);
  }

  void confirmed(const reply& answer) {
    if (answer.outcome != reply_outcome::reply) return;  // late is fine, until the connection counts as stuck
    const auto& value = answer.values[0];
    if (value.is_error()) return refused(std::string(value.text()));
    if (value.elements.size() != 3 || value.elements[0].text() != "subscribe") {
      return connection_->fail("an answer to SUBSCRIBE of another shape");
    }
    connection_->reset_back_off();
    turn(true);
    if (std::exchange(refused_, false)) tell({});
  }

  // Asked again with back-off: the user may be given the right.
  void refused(const std::string& why) {
    connection_->fail("Redis refuses: " + why);
    if (!std::exchange(refused_, true)) tell(why);
  }

  void tell(const std::string& why) {
    if (shared_->events.push_refused) shared_->events.push_refused(why);
  }

  void turn(bool on) {
    if (std::exchange(on_, on) != on) shared_->subscriptions += on ? 1 : -1;
  }

  void heard(byte_view channel, byte_view bytes) {
    if (protocol::as_text(channel) != channel_) return;
    const auto message = decode_push(shared_->sender, bytes);
    if (!message) return;
    const auto told = told_;  // it may destroy us
    told(*message);
  }

  std::shared_ptr<redis_shared> shared_;
  handler told_;
  std::string channel_;
  std::shared_ptr<resp_connection> connection_;
  bool on_ = false;
  bool refused_ = false;  // and told so
  std::shared_ptr<bool> life_ = std::make_shared<bool>();
};

}  // namespace

std::unique_ptr<push_subscriber> redis_hub::make_subscriber(boost::asio::io_context& context,
                                                            push_subscriber::handler told) {
  return std::make_unique<redis_subscriber>(context, shared_, std::move(told));
}

}  // namespace mongocached::cache
