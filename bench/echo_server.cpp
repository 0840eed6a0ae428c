// The floor that everything else is compared with: one thread that reads a framed message and sends a fixed OP_MSG
// reply of N bytes. It parses nothing, so no server that answers queries can be faster on this machine. With a
// certificate it is the floor of TLS. Its other options try other ways to wait and to send (docs/performance.md);
// without them it is as plain as it can be.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "bench/echo_handler.hpp"
#include "bench/epoll_server.hpp"

namespace {

using namespace mongocached;

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::uint32_t reply_size = 560;
  int core = -1;
  std::string tls_cert;
  std::string tls_key;
  unsigned spin_us = 0;
  bool nagle = false;
  bench::server_options options;
  CLI::App app{"bare epoll echo: answers every framed message with one fixed reply"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--reply-size", reply_size, "bytes of the whole reply message")->check(CLI::Range(400U, 16'000'000U));
  app.add_option("--core", core, "core to run on; negative: any");
  auto* const cert = app.add_option("--tls-cert", tls_cert, "PEM file: TLS 1.3 with this certificate, plain without");
  auto* const key = app.add_option("--tls-key", tls_key, "PEM file of its key")->needs(cert);
  cert->needs(key);
  app.add_option("--spin-us", spin_us, "microseconds to ask for events before it blocks")
      ->check(CLI::Range(0U, 1'000'000U));
  app.add_option("--busy-poll-us", options.busy_poll_us, "SO_BUSY_POLL of each connection; 0: as the system has it")
      ->check(CLI::Range(0, 1'000'000));
  app.add_flag("--send-last", options.send_last, "send behind the last event of a wait");
  app.add_flag("--zerocopy", options.zerocopy, "send with MSG_ZEROCOPY");
  app.add_flag("--nagle", nagle, "leave TCP_NODELAY off");
  app.add_flag("--quick-ack", options.quick_ack, "set TCP_QUICKACK before each read");
  CLI11_PARSE(app, argc, argv);
  options.spin = std::chrono::microseconds(spin_us);
  options.no_delay = !nagle;

  bench::tls_context tls;
  if (!tls_cert.empty()) tls = bench::make_server_context(tls_cert, tls_key);
  bench::echo_handler handler(reply_size);
  bench::stop_on_signals();
  auto listener = bench::listen_on_loopback(port);
  bench::announce_ready(bench::local_port(listener));
  bench::pin_thread(core);
  bench::epoll_server<bench::echo_handler> server(std::move(listener), handler, std::move(tls), options);
  server.run();
  if (options.zerocopy) {
    std::printf("zerocopy: %llu sends, %llu of them copied after all\n",
                static_cast<unsigned long long>(server.zerocopy().sends),
                static_cast<unsigned long long>(server.zerocopy().copied));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "echo_server: %s\n", e.what());
    return 1;
  }
}
