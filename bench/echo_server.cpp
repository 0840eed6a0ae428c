// The floor that everything else is compared with: one thread that reads a framed message and sends a fixed OP_MSG
// reply of N bytes with `responseTo` patched. It parses nothing, so no server that answers queries can be faster on
// this machine. With a certificate it is the floor of TLS.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "bench/epoll_server.hpp"
#include "bench/find_reply.hpp"

namespace {

using namespace mongocached;

struct echo_handler {
  protocol::byte_buffer reply;

  void on_message(bench::connection& c, protocol::byte_view message) {
    const std::size_t at = c.out.size();
    c.out.insert(c.out.end(), reply.begin(), reply.end());
    std::memcpy(c.out.data() + at + 8, message.data() + 4, 4);  // responseTo := the request's requestID
  }
  static int milliseconds_to_wait() { return -1; }
  void on_tick(bench::epoll_server<echo_handler>&) {}
};

int run(int argc, char** argv) {
  std::uint16_t port = 0;
  std::uint32_t reply_size = 560;
  int core = -1;
  std::string tls_cert;
  std::string tls_key;
  CLI::App app{"bare epoll echo: answers every framed message with one fixed reply"};
  app.add_option("--port", port, "port on 127.0.0.1; 0: any free one, printed as `ready PORT`");
  app.add_option("--reply-size", reply_size, "bytes of the whole reply message")->check(CLI::Range(400U, 16'000'000U));
  app.add_option("--core", core, "core to run on; negative: any");
  auto* const cert = app.add_option("--tls-cert", tls_cert, "PEM file: TLS 1.3 with this certificate, plain without");
  auto* const key = app.add_option("--tls-key", tls_key, "PEM file of its key")->needs(cert);
  cert->needs(key);
  CLI11_PARSE(app, argc, argv);

  echo_handler handler;
  const std::array<std::uint8_t, 12> id{};
  const bench::find_reply_writer writer(reply_size);
  writer.append_one(handler.reply, 0, {protocol::bson_type::object_id, "_id", id, {}}, "bench.docs",
                    bench::first_operation_time());

  bench::tls_context tls;
  if (!tls_cert.empty()) tls = bench::make_server_context(tls_cert, tls_key);
  bench::stop_on_signals();
  auto listener = bench::listen_on_loopback(port);
  bench::announce_ready(bench::local_port(listener));
  bench::pin_thread(core);
  bench::epoll_server<echo_handler> server(std::move(listener), handler, std::move(tls));
  server.run();
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
