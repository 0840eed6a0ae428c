// A cluster member that knows one command: every request is taken for hello and answered with the scripted document, as
// OP_REPLY or OP_MSG. With a topologyVersion in it, awaitable hellos are held until the script changes, and then
// streamed. Blocking sockets, a thread a connection: small and slow, for topology tests.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "protocol/bson_builder.hpp"

namespace mongocached::daemon::testing {

class fake_member {
 public:
  fake_member() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0)
      std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    threads_.emplace_back([this] { accept_all(); });
  }

  ~fake_member() { stop(); }
  fake_member(const fake_member&) = delete;
  fake_member& operator=(const fake_member&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // `fields` appends to the hello reply what makes it a primary, a mongos, ...
  void play(const std::function<void(protocol::bson_builder&)>& fields, bool streaming = false) {
    const std::lock_guard lock(guard_);
    fields_ = fields;
    streaming_ = streaming;
    ++version_;
    changed_.notify_all();
  }

  void play_primary(const std::string& set, const std::vector<std::string>& hosts, std::uint8_t election,
                    bool streaming = false) {
    play([=, me = address()](protocol::bson_builder& b) { member(b, set, hosts, me, election, true); }, streaming);
  }
  void play_secondary(const std::string& set, const std::vector<std::string>& hosts, bool streaming = false) {
    play([=, me = address()](protocol::bson_builder& b) { member(b, set, hosts, me, 0, false); }, streaming);
  }
  void play_mongos() {
    play([](protocol::bson_builder& b) {
      b.append_bool("ismaster", true);
      b.append_string("msg", "isdbgrid");
    });
  }
  void play_standalone() {
    play([](protocol::bson_builder& b) { b.append_bool("ismaster", true); });
  }

  // The process dies: all connections end, new ones are refused.
  void stop() {
    {
      const std::lock_guard lock(guard_);
      if (stopped_) return;
      stopped_ = true;
      changed_.notify_all();
      ::shutdown(listener_, SHUT_RDWR);
      for (const int client : clients_) ::shutdown(client, SHUT_RDWR);
    }
    threads_.front().join();  // no thread is added after this one
    for (std::size_t i = 1; i < threads_.size(); ++i) threads_[i].join();
    ::close(listener_);
  }

 private:
  static void member(protocol::bson_builder& b, const std::string& set, const std::vector<std::string>& hosts,
                     const std::string& me, std::uint8_t election, bool primary) {
    b.append_bool("ismaster", primary);
    b.append_bool("secondary", !primary);
    b.append_string("setName", set);
    b.append_int32("setVersion", 1);
    b.append_string("me", me);
    {
      protocol::bson_builder list = b.open_array("hosts");
      for (std::size_t i = 0; i < hosts.size(); ++i) list.append_string(std::to_string(i), hosts[i]);
    }
    if (!primary) return;
    std::array<std::uint8_t, 12> id{0x7f, 0xff, 0xff, 0xff};
    id.back() = election;
    b.append_object_id("electionId", id);
  }

  void accept_all() {
    while (true) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      const std::lock_guard lock(guard_);
      if (stopped_) {
        ::close(client);
        return;
      }
      clients_.push_back(client);
      threads_.emplace_back([this, client] { serve(client); });
    }
  }

  void serve(int client) {
    protocol::byte_buffer request;
    while (read(client, request)) {
      const bool message = protocol::load_le<std::int32_t>(request.data() + 12) == 2013;
      const std::int32_t id = protocol::load_le<std::int32_t>(request.data() + 4);
      const bool exhaust = message && (protocol::load_le<std::uint32_t>(request.data() + 16) & (1U << 16)) != 0;
      if (exhaust) {
        std::int64_t known = counter_of(request);
        while (wait_for_change(client, known) && write(client, id, true, true)) {
        }
        break;
      }
      if (!write(client, id, message, false)) break;
    }
    const std::lock_guard lock(guard_);
    std::erase(clients_, client);
    ::close(client);
  }

  // Of the topologyVersion that the asking side has: it is told at once of what it has missed.
  static std::int64_t counter_of(const protocol::byte_buffer& request) {
    const auto body = protocol::bson_view::parse_front(protocol::byte_view(request).subspan(21));
    const auto version = body ? body->find("topologyVersion") : std::nullopt;
    const auto document = version ? version->document() : std::nullopt;
    const auto counter = document ? document->find("counter") : std::nullopt;
    return counter ? counter->integer().value_or(0) : 0;
  }

  // False when stopped or when nobody listens any more.
  bool wait_for_change(int client, std::int64_t& known) {
    std::unique_lock lock(guard_);
    while (!stopped_ && version_ == known) {
      char c = 0;
      if (::recv(client, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0) return false;
      changed_.wait_for(lock, std::chrono::milliseconds(50));
    }
    known = version_;
    return !stopped_;
  }

  static bool read(int client, protocol::byte_buffer& out) {
    out.resize(16);
    if (!read_exactly(client, out.data(), 16)) return false;
    const auto length = protocol::load_le<std::int32_t>(out.data());
    if (length < 16 || length > 100'000) return false;
    out.resize(static_cast<std::size_t>(length));
    return read_exactly(client, out.data() + 16, out.size() - 16);
  }

  static bool read_exactly(int client, std::uint8_t* to, std::size_t count) {
    while (count > 0) {
      const ssize_t got = ::recv(client, to, count, 0);
      if (got <= 0) return false;
      to += got;
      count -= static_cast<std::size_t>(got);
    }
    return true;
  }

  bool write(int client, std::int32_t response_to, bool message, bool more_to_come) {
    protocol::byte_buffer out(message ? 21 : 36);
    {
      const std::lock_guard lock(guard_);
      protocol::bson_builder b(out);
      if (fields_) fields_(b);
      b.append_int32("maxWireVersion", 17);
      b.append_int32("minWireVersion", 0);
      b.append_int32("maxBsonObjectSize", 16 * 1024 * 1024);
      b.append_int32("maxMessageSizeBytes", 48'000'000);
      b.append_bool("helloOk", true);
      if (streaming_) {
        protocol::bson_builder topology = b.open_document("topologyVersion");
        topology.append_object_id("processId", std::array<std::uint8_t, 12>{1});
        topology.append_int64("counter", version_);
      }
      b.append_double("ok", 1.0);
    }
    protocol::store_le(out.data(), static_cast<std::int32_t>(out.size()));
    protocol::store_le(out.data() + 8, response_to);
    protocol::store_le(out.data() + 12, message ? 2013 : 1);
    if (message) {
      protocol::store_le(out.data() + 16, more_to_come ? 2U : 0U);
    } else {
      protocol::store_le(out.data() + 32, 1);  // one document
    }
    return ::send(client, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::mutex guard_;
  std::condition_variable changed_;
  std::function<void(protocol::bson_builder&)> fields_;
  bool streaming_ = false;
  std::int64_t version_ = 0;
  bool stopped_ = false;
  std::vector<int> clients_;
  std::vector<std::thread> threads_;
};

}  // namespace mongocached::daemon::testing
