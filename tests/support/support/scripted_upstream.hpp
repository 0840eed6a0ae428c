// A MongoDB server that answers by a table of functions, over a real loopback socket; a thread a connection, so that an
// answer may wait for the test. Keeps what it was asked. A compressed request is answered in its own compressor.
//
//   scripted_upstream upstream;
//   upstream.on("find", [](const asked& q) { return found({document{{"_id", 1}}}); });
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "protocol/command_view.hpp"
#include "protocol/compression.hpp"
#include "support/loopback_client.hpp"
#include "support/message_builders.hpp"

namespace mongocached::test_support {

// One command as the server got it.
struct asked {
  std::string command;
  document body;
  std::size_t message_size = 0;  // without compression
  protocol::compressor with{};   // `none`: it was not compressed
  std::int32_t id = 0;
};

// What becomes of it.
struct answer {
  document body;
  bool close = false;     // the connection ends instead of a reply
  bool silent = false;    // no reply (w: 0)
  byte_buffer bytes;      // in place of the reply, if not empty
  std::size_t first = 0;  // of these so many, then what `pause` takes, then the rest
  std::function<void()> pause{};
  answer(document reply) : body(std::move(reply)) {}  // NOLINT: reads as a reply
  static answer hang_up() {
    answer out{document()};
    out.close = true;
    return out;
  }
  static answer raw(byte_buffer bytes) {
    answer out{document()};
    out.bytes = std::move(bytes);
    return out;
  }
  // These bytes, and then the connection ends.
  static answer last_words(byte_buffer bytes) {
    auto out = raw(std::move(bytes));
    out.close = true;
    return out;
  }
  static answer none() {
    answer out{document()};
    out.silent = true;
    return out;
  }
};

inline constexpr std::uint64_t first_time = 100;

inline document cluster_time(std::uint64_t at) {
  const document signature{{"hash", binary{0, byte_buffer(20)}}, {"keyId", 7L}};
  return document{{"clusterTime", timestamp{at}}, {"signature", signature}};
}

inline document okay(std::uint64_t at = first_time) {
  return document{{"ok", 1.0}, {"$clusterTime", cluster_time(at)}, {"operationTime", timestamp{at}}};
}

inline document cursor_reply(const array& batch, std::string_view ns, std::uint64_t at = first_time) {
  const document cursor{{"firstBatch", batch}, {"id", 0L}, {"ns", ns}};
  return document{
      {"cursor", cursor}, {"ok", 1.0}, {"$clusterTime", cluster_time(at)}, {"operationTime", timestamp{at}}};
}

inline document found(const array& batch, std::uint64_t at = first_time) {
  return cursor_reply(batch, "shop.things", at);
}

inline document collection_listed(std::string_view type, const document& options) {
  return cursor_reply(array{document{{"name", "things"}, {"type", type}, {"options", options}}},
                      "shop.$cmd.listCollections");
}

inline document failed(int code, std::string_view text = "no") {
  return document{{"ok", 0.0}, {"errmsg", text}, {"code", code}};
}

// An answer that whoever asks for it gets once the test says so, at the end of its scope at the latest.
//
//   held_answer held(found({}));
//   upstream.on("find", held.handler());
class held_answer {
 public:
  explicit held_answer(answer what) : state_(std::make_shared<state>(std::move(what))) {}
  ~held_answer() { release(); }
  held_answer(const held_answer&) = delete;
  held_answer& operator=(const held_answer&) = delete;

  [[nodiscard]] std::function<answer(const asked&)> handler() const {
    return [held = state_](const asked&) {
      set(held->is_asked_for);
      held->is_released.wait(false);
      return held->what;
    };
  }
  void wait_until_asked_for() const { state_->is_asked_for.wait(false); }
  void release() const { set(state_->is_released); }

 private:
  struct state {
    explicit state(answer held) : what(std::move(held)) {}
    const answer what;
    std::atomic<bool> is_asked_for{false};
    std::atomic<bool> is_released{false};
  };
  static void set(std::atomic<bool>& flag) {
    flag = true;
    flag.notify_all();
  }
  const std::shared_ptr<state> state_;
};

class scripted_upstream {
 public:
  using handler = std::function<answer(const asked&)>;

  scripted_upstream() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0)
      std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    on("listCollections", [](const asked&) { return collection_listed("collection", document()); });
    on("getDefaultRWConcern", [](const asked&) { return failed(59, "no such command"); });
    on("connectionStatus", [](const asked&) {
      return document{{"authInfo", document{{"authenticatedUsers", array{"ann"}}}}, {"ok", 1.0}};
    });
    on("find", [](const asked&) { return found({document{{"_id", 1}, {"x", "value"}}}); });
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~scripted_upstream() {
    {
      const std::lock_guard lock(guard_);
      stopped_ = true;
      ::shutdown(listener_, SHUT_RDWR);
      for (const int client : clients_) ::shutdown(client, SHUT_RDWR);
    }
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(listener_);
  }
  scripted_upstream(const scripted_upstream&) = delete;
  scripted_upstream& operator=(const scripted_upstream&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // A command without a handler is answered {ok: 1}.
  void on(const std::string& command, handler how) {
    const std::lock_guard lock(guard_);
    handlers_[command] = std::move(how);
  }
  [[nodiscard]] std::size_t count(std::string_view command) const {
    const std::lock_guard lock(guard_);
    std::size_t sum = 0;
    for (const auto& one : log_) sum += one.command == command ? 1U : 0U;
    return sum;
  }
  [[nodiscard]] asked last(std::string_view command) const {
    const std::lock_guard lock(guard_);
    for (auto one = log_.rbegin(); one != log_.rend(); ++one) {
      if (one->command == command) return *one;
    }
    throw std::logic_error("the upstream never got this command");
  }

 private:
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
    byte_buffer message;
    while (read_message(client, message) && answer_any(client, message)) {
    }
    const std::lock_guard lock(guard_);
    std::erase(clients_, client);
    ::close(client);
  }

  bool answer_any(int client, const byte_buffer& message) {
    if (protocol::load_le<std::int32_t>(message.data() + 12) != static_cast<std::int32_t>(protocol::opcode::compressed))
      return answer_one(client, message, protocol::compressor::none);
    byte_buffer inside;
    protocol::compressor with{};
    return protocol::decompress(message, inside, with) == protocol::compression_error::none &&
           answer_one(client, inside, with);
  }

  bool answer_one(int client, const byte_buffer& message, protocol::compressor with) {
    protocol::op_query legacy;
    if (protocol::parse_op_query(message, legacy)) return answer_legacy(client, message, legacy.query);
    protocol::op_msg parsed;
    protocol::command_view command;
    const auto id = protocol::load_le<std::int32_t>(message.data() + 4);
    if (protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none ||
        protocol::view_command(parsed, id, command) != protocol::command_error::none) {
      return false;
    }
    const auto bytes = parsed.body.bytes();
    const asked question{std::string(command.name), document(byte_buffer(bytes.begin(), bytes.end())), message.size(),
                         with, id};
    const answer reply = decide(question);
    if (reply.pause) {
      const byte_view all(reply.bytes);
      if (!write_all(client, all.first(reply.first))) return false;
      reply.pause();
      return write_all(client, all.subspan(reply.first));
    }
    if (!reply.bytes.empty()) return write_all(client, reply.bytes) && !reply.close;
    if (reply.close) return false;
    if (reply.silent) return true;
    const auto plain = op_msg_message(reply.body, {.request_id = 1, .response_to = id});
    if (with == protocol::compressor::none) return write_all(client, plain);
    byte_buffer packed;
    protocol::append_compressed(packed, plain, with);
    return write_all(client, packed);
  }

  // A driver's first hello on a connection.
  bool answer_legacy(int client, const byte_buffer& message, bson_view query) {
    protocol::bson_element first;
    if (protocol::bson_cursor fields(query); !fields.next(first)) return false;
    const auto bytes = query.bytes();
    const answer reply =
        decide({std::string(first.name), document(byte_buffer(bytes.begin(), bytes.end())), message.size()});
    if (reply.close) return false;
    byte_buffer out;
    protocol::append_op_reply(out, 1, protocol::load_le<std::int32_t>(message.data() + 4), reply.body.view());
    return write_all(client, out);
  }

  answer decide(const asked& question) {
    handler how = [](const asked&) { return okay(); };
    {
      const std::lock_guard lock(guard_);
      log_.push_back(question);
      if (const auto known = handlers_.find(question.command); known != handlers_.end()) how = known->second;
    }
    return how(question);
  }

  int listener_;
  std::uint16_t port_ = 0;
  mutable std::mutex guard_;
  std::map<std::string, handler> handlers_;
  std::vector<asked> log_;
  bool stopped_ = false;
  std::vector<int> clients_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace mongocached::test_support
