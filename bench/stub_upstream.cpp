// A stub MongoDB server at nearly echo speed: the upstream of the relay and miss rows, so that they measure the proxy
// and not a database. What it answers stands in stub_commands.hpp.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>

#include "bench/epoll_server.hpp"
#include "bench/stub_commands.hpp"

namespace {

using namespace mongocached;
using clock_type = std::chrono::steady_clock;

class stub_handler {
 public:
  explicit stub_handler(bench::stub_state& state) : commands_(state) {}

  void on_message(bench::connection& c, protocol::byte_view message) {
    if (const auto hold = commands_.answer(c.out, message)) {
      held_.push_back({clock_type::now() + std::chrono::milliseconds(*hold), c.peer.descriptor(), c.serial,
                       protocol::load_le<std::int32_t>(message.data() + 4)});
    }
  }

  [[nodiscard]] int milliseconds_to_wait() const {
    if (held_.empty()) return -1;
    const auto next = std::ranges::min(held_, {}, &held_reply::due).due;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - clock_type::now()).count();
    return static_cast<int>(std::max<std::int64_t>(wait, 0));
  }

  void on_tick(bench::epoll_server<stub_handler>& server) {
    const auto now = clock_type::now();
    std::erase_if(held_, [&](const held_reply& held) {
      if (held.due > now) return false;
      if (auto* c = server.find(held.fd, held.serial)) {
        commands_.answer_later(c->out, held.request_id);
        server.flush(*c);
      }
      return true;
    });
  }

 private:
  // A change stream's getMore that waits for events which never come. There are one or two of them.
  struct held_reply {
    clock_type::time_point due;
    int fd;
    std::uint64_t serial;
    std::int32_t request_id;
  };

  bench::stub_commands commands_;
  std::vector<held_reply> held_;
};

void serve(bench::unique_fd listener, bench::stub_state& state, int core) {
  bench::pin_thread(core);
  stub_handler handler(state);
  bench::epoll_server<stub_handler> server(std::move(listener), handler);
  server.run();
}

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::uint32_t reply_size = 560;
  unsigned threads = 1;
  int core = -1;
  CLI::App app{"stub MongoDB server: a one-member replica set that finds every document it is asked for"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--reply-size", reply_size, "bytes of the whole reply to a find by _id");
  app.add_option("--threads", threads, "threads, each with its own listener")->check(CLI::Range(1U, 64U));
  app.add_option("--core", core, "core to run on; negative: any");
  CLI11_PARSE(app, argc, argv);

  bench::stop_on_signals();
  bench::stub_state state(reply_size);
  std::vector<bench::unique_fd> listeners;
  listeners.push_back(bench::listen_on_loopback(port));
  port = bench::local_port(listeners.front());
  state.host = "127.0.0.1:" + std::to_string(port);
  while (listeners.size() < threads) listeners.push_back(bench::listen_on_loopback(port));
  bench::announce_ready(port);

  // The other threads never return by themselves; the process ends with the first.
  for (std::size_t i = 1; i < listeners.size(); ++i) {
    std::thread(serve, std::move(listeners[i]), std::ref(state), core).detach();
  }
  serve(std::move(listeners.front()), state, core);
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "stub_upstream: %s\n", e.what());
    return 1;
  }
}
