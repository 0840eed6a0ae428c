// The bare echo of echo_server.cpp on io_uring.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "bench/echo_handler.hpp"
#include "bench/uring_server.hpp"

namespace {

using namespace mongocached;

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::uint32_t reply_size = 560;
  bool plain = false;
  bench::uring_options options;
  CLI::App app{"bare io_uring echo: answers every framed message with one fixed reply; status 77 without io_uring"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--reply-size", reply_size, "bytes of the whole reply message")->check(CLI::Range(400U, 16'000'000U));
  app.add_flag("--plain", plain, "a receive for every read, into the connection's buffer, instead of a multishot one");
  app.add_flag("--sqpoll", options.sqpoll, "a thread of the kernel takes submissions");
  CLI11_PARSE(app, argc, argv);
  options.multishot = !plain;

  bench::echo_handler handler(reply_size);
  bench::stop_on_signals();
  auto listener = bench::listen_on_loopback(port);
  const auto listens_at = bench::local_port(listener);
  bench::uring_server<bench::echo_handler> server(std::move(listener), handler, options);
  bench::announce_ready(listens_at);
  server.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const mongocached::bench::no_uring& e) {
    std::fprintf(stderr, "uring_echo: %s\n", e.what());
    return mongocached::bench::exit_without_uring;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "uring_echo: %s\n", e.what());
    return 1;
  }
}
