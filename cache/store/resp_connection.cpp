#include "cache/store/resp_connection.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <optional>

#include "cache/store/boot_clock.hpp"

namespace mongocached::cache {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// What belongs to one attempt. Its handlers hold it, so that buffers live as long as the operations that use them.
struct resp_connection::link {
  explicit link(asio::io_context& context) : socket(context) {}

  tcp::socket socket;
  std::optional<asio::ssl::stream<tcp::socket&>> tls;
  std::array<std::uint8_t, 65'536> incoming{};
  byte_buffer outgoing;  // being written while the pipeline's output gathers the next batch
  bool writing = false;

  template <class Handler>
  void async_read(Handler&& handler) {
    if (tls) {
      tls->async_read_some(asio::buffer(incoming), std::forward<Handler>(handler));
    } else {
      socket.async_read_some(asio::buffer(incoming), std::forward<Handler>(handler));
    }
  }
  template <class Handler>
  void async_write_all(Handler&& handler) {
    if (tls) {
      asio::async_write(*tls, asio::buffer(outgoing), std::forward<Handler>(handler));
    } else {
      asio::async_write(socket, asio::buffer(outgoing), std::forward<Handler>(handler));
    }
  }
  void close() {
    error_code ignored;
    socket.close(ignored);
  }
};

namespace {

// Requests that are sent together. One turn of a busy thread may bring many more.
constexpr unsigned gathered_at_most = 16;
constexpr std::size_t most_at_once = 65'536;

void set_options(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&](int option, int value) {
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 30);   // seconds
  set(TCP_KEEPINTVL, 10);  // seconds
  set(TCP_KEEPCNT, 3);
}

}  // namespace

resp_connection::resp_connection(asio::io_context& context, connection_settings settings, connection_events events)
    : context_(context),
      settings_(std::move(settings)),
      events_(std::move(events)),
      pipeline_(settings_.pipeline),
      timer_(context),
      jitter_(std::random_device{}()) {}

resp_connection::~resp_connection() = default;

void resp_connection::start() {
  if (state_ == state::stopped) attempt();
}

void resp_connection::stop() {
  state_ = state::stopped;
  events_ = {};
  pipeline_.discard();
  awaited_.reset();
  timer_.cancel();
  if (link_) link_->close();
  link_.reset();
}

void resp_connection::fail(std::string reason) {
  asio::post(context_, [self = shared_from_this(), at = link_, why = std::move(reason)] {
    if (at && self->is_current(at)) self->close(why);
  });
}

void resp_connection::submit(instant now, unsigned replies, reply_handler done, bool late) {
  pipeline_.submit(now, replies, std::move(done), late);
  arm_tick();
  if (link_->writing) return;
  if (++gathered_ >= gathered_at_most) send_at_once();
  if (flush_posted_) return;
  flush_posted_ = true;
  asio::post(context_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void resp_connection::attempt() {
  state_ = state::resolving;
  link_ = std::make_shared<link>(context_);
  timer_.expires_after(settings_.connect_timeout);
  timer_.async_wait([self = shared_from_this(), at = link_](error_code error) {
    if (error || !self->is_current(at) || self->state_ >= state::greeting) return;
    self->close(self->state_ == state::resolving    ? "host not found in time"
                : self->state_ == state::connecting ? "no connection in time"
                                                    : "TLS: no handshake in time, perhaps a port without TLS");
  });
  find_host();
}

void resp_connection::find_host() {
  awaited_ = std::make_shared<host_answer>([&context = context_, self = weak_from_this(), at = std::weak_ptr(link_)](
                                               const std::vector<std::string>& addresses, const std::string& error) {
    asio::post(context, [self, at, addresses, error] {
      const auto here = self.lock();
      const auto of = at.lock();
      if (here && of && here->is_current(of)) here->found_host(addresses, error);
    });
  });
  settings_.find_host(settings_.uri.host, awaited_);
}

void resp_connection::found_host(const std::vector<std::string>& addresses, const std::string& error) {
  awaited_.reset();
  if (addresses.empty()) return close("host not found: " + error);
  std::vector<tcp::endpoint> out;
  out.reserve(addresses.size());
  for (const auto& one : addresses) out.emplace_back(asio::ip::make_address(one), settings_.uri.port);
  connect(out);
}

void resp_connection::connect(const std::vector<tcp::endpoint>& addresses) {
  state_ = state::connecting;
  asio::async_connect(link_->socket, addresses,
                      [self = shared_from_this(), at = link_](error_code error, const tcp::endpoint&) {
                        if (!self->is_current(at)) return;
                        if (error) return self->close("cannot connect: " + error.message());
                        set_options(at->socket);
                        if (self->settings_.uri.tls) return self->secure();
                        self->greet();
                      });
}

void resp_connection::secure() {
  state_ = state::securing;
  auto& tls = link_->tls.emplace(link_->socket, *settings_.tls);
  const auto& host = settings_.uri.host;
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (not_an_address) SSL_set_tlsext_host_name(tls.native_handle(), host.c_str());  // SNI takes names only
  tls.set_verify_mode(asio::ssl::verify_peer);
  tls.set_verify_callback(asio::ssl::host_name_verification(host));
  tls.async_handshake(asio::ssl::stream_base::client, [self = shared_from_this(), at = link_](error_code error) {
    if (!self->is_current(at)) return;
    if (error) return self->close("TLS: " + error.message());
    self->greet();
  });
}

void resp_connection::greet() {
  state_ = state::greeting;
  timer_.cancel();
  tick_armed_ = false;
  const auto& uri = settings_.uri;
  unsigned commands = 0;
  if (!uri.password.empty()) {
    resp_command auth(output(), uri.user.empty() ? 2 : 3);
    auth.arg("AUTH");
    if (!uri.user.empty()) auth.arg(uri.user);
    auth.arg(uri.password);
    ++commands;
  }
  resp_command(output(), 2).arg("SELECT").arg(std::int64_t{uri.database});
  ++commands;
  read();
  // Late: a slow greeting is still a greeting, until the connection counts as stuck.
  submit(
      boot_now(), commands, [this](const reply& answer) { greeted(answer); }, true);
}

void resp_connection::greeted(const reply& answer) {
  if (answer.outcome != reply_outcome::reply) return;
  for (const auto& value : answer.values) {
    if (value.is_error()) return fail("Redis refuses: " + std::string(value.text()));
  }
  state_ = state::open;
  if (events_.opened) events_.opened();
}

void resp_connection::read() {
  link_->async_read([self = shared_from_this(), at = link_](error_code error, std::size_t size) {
    if (!self->is_current(at)) return;
    if (error) return self->close("connection lost: " + error.message());
    const bool good = self->pipeline_.feed({at->incoming.data(), size}, boot_now());
    if (!self->is_current(at)) return;
    if (!good) return self->close("protocol error: " + self->pipeline_.error());
    self->read();
  });
}

void resp_connection::flush() {
  if (!link_ || state_ < state::greeting || link_->writing || output().empty()) return;
  write();
}

// So that Redis has something to do while the rest of a busy turn is gathered. What does not go through now, or fails,
// is left to flush().
void resp_connection::send_at_once() {
  gathered_ = 0;
  auto& out = output();
  if (link_->tls || state_ != state::open || out.size() > most_at_once) return;
  const auto sent = ::send(link_->socket.native_handle(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) out.erase(out.begin(), out.begin() + sent);
}

void resp_connection::write() {
  gathered_ = 0;
  link_->writing = true;
  link_->outgoing.clear();
  link_->outgoing.swap(output());
  link_->async_write_all([self = shared_from_this(), at = link_](error_code error, std::size_t) {
    at->writing = false;
    if (!self->is_current(at)) return;
    if (error) return self->close("connection lost: " + error.message());
    constexpr std::size_t kept = 1'048'576;  // a burst's buffer is not held for ever
    if (at->outgoing.capacity() > kept) byte_buffer().swap(at->outgoing);
    self->flush();
  });
}

void resp_connection::arm_tick() {
  if (tick_armed_ || state_ < state::greeting) return;
  tick_armed_ = true;
  timer_.expires_after(pipeline_.tick());
  timer_.async_wait([self = shared_from_this(), at = link_](error_code error) {
    if (error || !self->is_current(at)) return;
    self->tick_armed_ = false;
    const auto now = boot_now();
    self->pipeline_.expire(now);
    if (!self->is_current(at)) return;
    if (self->pipeline_.stuck(now)) return self->close("no reply");
    if (self->pipeline_.busy()) self->arm_tick();
  });
}

void resp_connection::close(const std::string& reason) {
  link_->close();
  link_.reset();
  awaited_.reset();
  tick_armed_ = false;
  // `waiting` before the handlers run: what they ask for now must not be sent.
  wait_and_retry();
  pipeline_.close();
  if (events_.closed) events_.closed(reason);
}

void resp_connection::wait_and_retry() {
  state_ = state::waiting;
  pause_ = pause_ == duration::zero() ? settings_.first_pause : std::min(pause_ * 2, settings_.longest_pause);
  // From half to the whole pause, so that processes that lost Redis together do not come back together.
  const auto share = std::uniform_int_distribution<long>(500, 1000)(jitter_);
  timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(pause_ * share / 1000));
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && self->state_ == state::waiting) self->attempt();
  });
}

}  // namespace mongocached::cache
