#include "daemon/health_check.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <exception>

namespace mongocached::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::uint64_t max_answer_bytes = 65'536;

// An address that stands for all of this machine's is no place to connect to.
std::string reachable(const std::string& host) {
  if (host == "0.0.0.0" || host == "*") return "127.0.0.1";
  if (host == "::") return "::1";
  return host;
}

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

asio::awaitable<health> ask(config::endpoint at, std::string path, std::chrono::milliseconds patience) {
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  const auto found =
      tcp::resolver(stream.get_executor()).resolve(at.host, std::to_string(at.port), tcp::resolver::numeric_service);
  stream.expires_after(patience);  // for all of it
  co_await stream.async_connect(found, asio::use_awaitable);
  http::request<http::empty_body> request{http::verb::get, "/" + path, 11};
  request.set(http::field::host, to_string(at));
  request.set(http::field::connection, "close");
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer(max_answer_bytes);
  http::response_parser<http::string_body> parser;
  parser.body_limit(max_answer_bytes);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return health{parser.get().result() == http::status::ok, one_line(parser.get().body())};
}

}  // namespace

health ask_health(const config::endpoint& side_port, const std::string& path, std::chrono::milliseconds patience) {
  const config::endpoint at{reachable(side_port.host), side_port.port};
  health out;
  asio::io_context context(1);
  asio::co_spawn(context, ask(at, path, patience), [&](const std::exception_ptr& failed, health answer) {
    out = std::move(answer);
    if (!failed) return;
    try {
      std::rethrow_exception(failed);
    } catch (const boost::system::system_error& error) {
      out = {false, "http://" + to_string(at) + "/" + path + ": " + error.code().message()};
    } catch (const std::exception& error) {
      out = {false, error.what()};
    }
  });
  context.run();
  return out;
}

}  // namespace mongocached::daemon
