// What one run of the load generator does.
#pragma once

#include <string>

#include "bench/key_picker.hpp"
#include "bench/net.hpp"

namespace mongocached::bench {

enum class load_protocol { mongo, redis };
enum class reply_check {
  identity,  // the reply is to our request, says ok and holds the document that was asked for
  ok,        // the reply is to our request and says ok (the bare echo knows no documents)
};

struct load_options {
  endpoint target;
  std::string tls_ca;  // TLS, the target being `localhost` by a certificate of this authority; empty: plain
  load_protocol protocol = load_protocol::mongo;
  reply_check check = reply_check::identity;
  unsigned connections = 1;
  unsigned threads = 1;
  unsigned in_flight = 0;      // requests at a time in a thread, its connections taking turns; 0: one a connection
  double seconds = 5;          // of the measured part
  double warm_up_seconds = 1;  // after every key of the key space was asked for once (not with `distinct`)
  bool sweep = true;           // false: without that
  std::uint64_t count = 0;     // end after so many requests instead; 0: by time
  double idle_seconds = 0;     // all connections rest so long when greeted, and again when measured
  double rate = 0;             // open loop: requests a second over all connections; 0: closed loop

  key_distribution keys = key_distribution::single;
  std::uint64_t key_space = 1000;
  double zipf_exponent = 0.99;
  double write_share = 0;  // of requests that update a document by _id
  double top_share = 0;    // of requests that read the first documents of a category by rating
  std::uint32_t top_limit = 10;
  std::uint32_t categories = 16;

  std::string database = "bench";
  std::string collection = "docs";
  bool populate = false;  // write the key space's documents (Redis: values) before the run
  bool only_populate = false;
  std::uint32_t value_size = 560;  // Redis: bytes of a value; MongoDB with `populate`: of a document
  std::uint64_t seed = 1;
  int core = -1;  // of the first thread, the next one is on the next core; negative: any
};

// False where the program is to end with `exit_status` at once: help was asked for, or an option is wrong.
[[nodiscard]] bool parse_load_options(int argc, char** argv, load_options& out, int& exit_status);

}  // namespace mongocached::bench
