// A Redis that says what a test wants: it takes connections on a free port, on the test's own loop.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "cache/store/resp.hpp"

namespace mongocached::cache {

class fake_redis {
 public:
  using words = std::vector<std::string>;
  // Raw bytes to answer a command with; empty: nothing.
  using script = std::function<std::string(const words&)>;

  fake_redis(boost::asio::io_context& context, script answers)
      : acceptor_(context, {boost::asio::ip::address_v4::loopback(), 0}), answers_(std::move(answers)) {
    accept();
  }

  [[nodiscard]] std::string uri() const {
    return "redis://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }
  [[nodiscard]] int connections() const { return connections_; }

  // What a Redis says to a store that connects; empty for anything else.
  static std::string greeting(const words& command) {
    const auto& name = command.at(0);
    if (name == "SELECT") return "+OK\r\n";
    if (name == "INFO") return bulk("# Server\r\nredis_mode:standalone\r\nrun_id:0123456789abcdef\r\n");
    if (name == "SCRIPT") return bulk(command.at(2).find("ARGV[3] ~= '1'") != std::string::npos ? "epoch" : "other");
    if (name == "EVALSHA" && command.at(1) == "epoch") return bulk(command.at(5));
    return {};
  }
  static std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }

 private:
  struct session {
    explicit session(boost::asio::ip::tcp::socket taken) : socket(std::move(taken)) {}
    boost::asio::ip::tcp::socket socket;
    std::array<std::uint8_t, 4096> incoming{};
    resp_reader reader;
    std::string outgoing;
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, boost::asio::ip::tcp::socket socket) {
      if (error) return;
      ++connections_;
      read(std::make_shared<session>(std::move(socket)));
      accept();
    });
  }

  void read(const std::shared_ptr<session>& with) {
    with->socket.async_read_some(
        boost::asio::buffer(with->incoming), [this, with](boost::system::error_code error, std::size_t size) {
          if (error) return;
          with->reader.feed({with->incoming.data(), size});
          resp_value command;
          with->outgoing.clear();
          while (with->reader.next(command) == resp_reader::progress::value) {
            words all;
            for (const auto& word : command.elements) all.emplace_back(word.text());
            with->outgoing += answers_(all);
          }
          boost::asio::async_write(with->socket, boost::asio::buffer(with->outgoing),
                                   [this, with](boost::system::error_code failed, std::size_t) {
                                     if (!failed) read(with);
                                   });
        });
  }

  boost::asio::ip::tcp::acceptor acceptor_;
  script answers_;
  int connections_ = 0;
};

}  // namespace mongocached::cache
