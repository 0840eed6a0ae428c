#include "daemon/status_desk.hpp"

#include <boost/asio/post.hpp>
#include <exception>

namespace mongocached::daemon {

bool status_desk::ask(taker take) {
  if (stopped_) return false;
  if (waiting_.fetch_add(1) >= most_waiting) {
    waiting_.fetch_sub(1);
    return false;
  }
  boost::asio::post(worker_, [this, take = std::move(take)] { serve(take); });
  return true;
}

void status_desk::serve(const taker& take) noexcept {
  protocol::byte_buffer document;
  try {
    make_(document);
  } catch (const std::exception&) {
    document.clear();
  }
  waiting_.fetch_sub(1);
  take(std::move(document));
}

void status_desk::stop() {
  stopped_ = true;
  worker_.stop();
  worker_.join();
}

}  // namespace mongocached::daemon
