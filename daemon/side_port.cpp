#include "daemon/side_port.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <list>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "daemon/inherited_sockets.hpp"
#include "daemon/json_text.hpp"
#include "daemon/side_port_rules.hpp"

namespace mongocached::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

constexpr std::uint32_t max_header_bytes = 8192;
constexpr std::uint64_t max_body_bytes = 4096;
constexpr std::size_t max_discarded_bytes = 262'144;
constexpr const char* json_type = "application/json";

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

std::string error_document(std::string_view why) {
  return "{\"error\":" + json_quote(why) + "}\n";
}

// The header's value, if there is exactly one; `repeated` is set where there are more.
std::optional<std::string_view> single(const request& from, std::string_view name, bool& repeated) {
  std::optional<std::string_view> value;
  const auto range = from.equal_range(beast::string_view(name.data(), name.size()));
  for (auto at = range.first; at != range.second; ++at) {
    if (value) repeated = true;
    value = std::string_view(at->value().data(), at->value().size());
  }
  return value;
}

side_request facts_of(const request& from) {
  side_request out;
  out.method = {from.method_string().data(), from.method_string().size()};
  out.target = {from.target().data(), from.target().size()};
  out.host = single(from, "Host", out.repeated);
  out.origin = single(from, "Origin", out.repeated);
  out.sec_fetch_site = single(from, "Sec-Fetch-Site", out.repeated);
  out.authorization = single(from, "Authorization", out.repeated);
  return out;
}

response plain_response(unsigned status, const char* type, std::string body) {
  response out{http::int_to_status(status), 11};
  out.set(http::field::content_type, type);
  out.set(http::field::cache_control, "no-store");
  out.set("X-Content-Type-Options", "nosniff");
  out.body() = std::move(body);
  return out;
}

response answer_document(const invalidate_answer& answer) {
  if (!answer.error.empty()) return plain_response(400, json_type, error_document(answer.error));
  return plain_response(
      200, json_type,
      "{\"entries\":" + std::to_string(answer.entries) + ",\"redis\":" + (answer.redis ? "true" : "false") + "}\n");
}

response carry_out(const side_decision& decision, const side_port_hooks& hooks) {
  switch (decision.path) {
    case side_path::metrics:
      return plain_response(200, "text/plain; version=0.0.4; charset=utf-8", hooks.metrics());
    case side_path::healthz:
      if (!hooks.stalled()) return plain_response(200, json_type, "{\"healthy\":true}\n");
      return plain_response(503, json_type, "{\"healthy\":false,\"reason\":\"a thread that serves clients hangs\"}\n");
    case side_path::status:
      return plain_response(200, json_type, hooks.status());
    case side_path::invalidate:
      return answer_document(hooks.invalidate(decision.invalidate));
    case side_path::flush:
      return answer_document(hooks.flush());
    case side_path::readyz:
      break;
  }
  const readiness now = hooks.ready();
  if (now.ready) {
    const std::string note = now.note.empty() ? "" : ",\"note\":" + json_quote(now.note);
    return plain_response(200, json_type, "{\"ready\":true" + note + "}\n");
  }
  return plain_response(503, json_type, "{\"ready\":false,\"reason\":" + json_quote(now.reason) + "}\n");
}

response refusal(const side_decision& decision) {
  response out = plain_response(decision.status, json_type, error_document(decision.error));
  if (decision.allow != nullptr) out.set(http::field::allow, decision.allow);
  if (decision.status == 401) out.set(http::field::www_authenticate, "Bearer");
  return out;
}

// What cannot be read as a request gets an answer where that may still help someone; 0: just a close.
unsigned status_for(const error_code& ec) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) return 431;
  if (ec == http::error::body_limit) return 413;
  const bool ended = ec == http::error::end_of_stream || ec == http::error::partial_message;
  return !ended && ec.category() == make_error_code(http::error::bad_method).category() ? 400 : 0;
}

}  // namespace

class side_port::server {
 public:
  server(side_port_options options, side_port_hooks hooks)
      : options_(std::move(options)), hooks_(std::move(hooks)), acceptor_(context_) {
    listen();
    asio::co_spawn(context_, accept_all(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

  ~server() {
    context_.stop();
    thread_.join();
  }  // the context goes last of all and takes every session with it

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  void set_token(std::string token) {
    asio::post(context_, [this, token = std::move(token)]() mutable { policy_.token = std::move(token); });
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  struct connection {
    explicit connection(tcp::socket socket) : stream(std::move(socket)) {}
    beast::tcp_stream stream;
    enum { waits, writes, closed } state = waits;  // waits: for a whole request; writes: what nobody may take
  };
  using place = std::list<connection>::iterator;

  void listen() {
    const bool inherits = options_.inherited >= 0;
    const std::string where = inherits ? "descriptor " + std::to_string(options_.inherited)
                                       : options_.host + ":" + std::to_string(options_.port);
    try {
      if (inherits) {
        adopt(options_.inherited);
      } else {
        bind();
      }
      const tcp::endpoint endpoint = acceptor_.local_endpoint();
      port_ = endpoint.port();
      policy_ = {options_.token, options_.host, endpoint.address().is_loopback()};
    } catch (const boost::system::system_error& error) {
      throw std::runtime_error("http.address: cannot listen on " + where + ": " + error.code().message());
    }
  }

  void bind() {
    const auto found =
        tcp::resolver(context_).resolve(options_.host, std::to_string(options_.port), tcp::resolver::passive);
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
  }

  void adopt(int fd) { acceptor_.assign(socket_family(fd) == AF_INET6 ? tcp::v6() : tcp::v4(), fd); }

  asio::awaitable<void> accept_all() {
    asio::steady_timer pause(context_);
    while (true) {
      auto [ec, socket] = co_await acceptor_.async_accept(use_result);
      if (ec) {  // out of descriptors, mostly: do not spin
        pause.expires_after(std::chrono::milliseconds(100));
        co_await pause.async_wait(use_result);
        continue;
      }
      if (open_.size() >= options_.max_connections && !make_room()) continue;  // closes it
      const place made = open_.emplace(open_.end(), std::move(socket));
      // What a session may throw is for want of memory: that session ends, the port goes on.
      asio::co_spawn(context_, serve(made), [this, made](const std::exception_ptr&) { open_.erase(made); });
    }
  }

  // Or else a few that say nothing, or take no reply, would keep out whoever asks whether the process lives.
  bool make_room() {
    auto oldest = std::ranges::find(open_, connection::waits, &connection::state);
    if (oldest == open_.end()) oldest = std::ranges::find(open_, connection::writes, &connection::state);
    if (oldest == open_.end()) return false;
    oldest->state = connection::closed;
    oldest->stream.close();
    return true;
  }

  void begin(place held, decltype(connection::state) what) {
    held->state = what;
    open_.splice(open_.end(), open_, held);
  }

  asio::awaitable<void> serve(place held) {
    auto& stream = held->stream;
    beast::flat_buffer buffer(max_header_bytes + max_body_bytes);
    bool more = true;
    while (more) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(max_header_bytes);
      parser.body_limit(max_body_bytes);
      stream.expires_after(options_.request_deadline);  // for all of it: a byte now and then gains nothing
      begin(held, connection::waits);
      const auto [ec, size] = co_await http::async_read(stream, buffer, parser, use_result);
      if (held->state == connection::closed) co_return;
      begin(held, connection::writes);
      response reply;
      if (ec) {
        const unsigned status = status_for(ec);
        if (status == 0) co_return;
        reply = plain_response(status, json_type, error_document("this is no request that the port understands"));
        more = false;
      } else {
        reply = answer(parser.get());
        more = parser.get().keep_alive();
        reply.version(parser.get().version());
      }
      reply.keep_alive(more);
      reply.prepare_payload();
      // HEAD: the length of what GET would have sent, and nothing behind the header.
      if (!ec && parser.get().method() == http::verb::head) reply.body().clear();
      const auto [write_error, written] = co_await http::async_write(stream, reply, use_result);
      if (write_error || held->state == connection::closed) co_return;
    }
    co_await finish(stream);
  }

  [[nodiscard]] response answer(const request& asked) {
    if (asked.version() >= 11 && asked.count(http::field::host) != 1) {
      return plain_response(400, json_type, error_document("a Host header is needed, once"));
    }
    const side_decision decision = decide(facts_of(asked), policy_);
    if (decision.status != 200) return refusal(decision);
    try {
      return carry_out(decision, hooks_);
    } catch (const std::exception& error) {
      return plain_response(500, json_type, error_document(error.what()));
    }
  }

  // Lets the last reply arrive: closing with unread bytes would reset the connection and drop it.
  asio::awaitable<void> finish(beast::tcp_stream& stream) {
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream.expires_after(std::min(options_.request_deadline, std::chrono::milliseconds(1000)));
    std::array<char, 4096> sink{};
    std::size_t total = 0;
    while (total < max_discarded_bytes) {
      const auto [ec, size] = co_await stream.async_read_some(asio::buffer(sink), use_result);
      if (ec) break;
      total += size;
    }
  }

  const side_port_options options_;
  const side_port_hooks hooks_;
  side_policy policy_;
  asio::io_context context_{1};
  std::list<connection> open_;  // of those in one state, who has been in it longest comes first
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

side_port::side_port(side_port_options options, side_port_hooks hooks)
    : server_(std::make_unique<server>(std::move(options), std::move(hooks))) {}

side_port::~side_port() = default;

void side_port::set_token(std::string token) {
  server_->set_token(std::move(token));
}

std::uint16_t side_port::port() const noexcept {
  return server_->port();
}

}  // namespace mongocached::daemon
