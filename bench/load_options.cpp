#include "bench/load_options.hpp"

#include <CLI/CLI.hpp>

namespace mongocached::bench {

bool parse_load_options(int argc, char** argv, load_options& out, int& exit_status) {
  std::string target = "127.0.0.1:27017";
  std::string ns = "bench.docs";
  CLI::App app{"closed-loop and open-loop load for a MongoDB or Redis server; prints one JSON document"};
  app.add_option("--target", target, "HOST:PORT, HOST being an IPv4 address");
  app.add_option("--tls-ca", out.tls_ca, "TLS 1.3; PEM file of who signed the certificate, which is for `localhost`")
      ->check(CLI::ExistingFile);
  app.add_option("--protocol", out.protocol, "mongo: find by _id as PyMongo's find_one sends it; redis: GET")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, load_protocol>{{"mongo", load_protocol::mongo}, {"redis", load_protocol::redis}}));
  app.add_option("--check", out.check, "identity: the document asked for must be in the reply; ok: only ok: 1")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, reply_check>{{"identity", reply_check::identity}, {"ok", reply_check::ok}}));
  app.add_option("--connections", out.connections, "connections, each with one request at a time")
      ->check(CLI::Range(1U, 10000U));
  app.add_option("--threads", out.threads, "threads that share the connections")->check(CLI::Range(1U, 64U));
  app.add_option("--in-flight", out.in_flight, "requests at a time in a thread; 0: one a connection");
  app.add_option("--duration", out.seconds, "seconds to measure")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", out.warm_up_seconds, "seconds before that")->check(CLI::NonNegativeNumber);
  app.add_flag("!--no-sweep", out.sweep, "do not ask for every key once before the warm-up");
  app.add_option("--count", out.count, "requests to measure, instead of seconds");
  app.add_option(
         "--idle", out.idle_seconds,
         "seconds that all connections rest, once greeted and once measured; `idle` on standard error says when")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--rate", out.rate, "open loop: requests a second, latency from the intended time; 0: closed loop")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--keys", out.keys, "single, uniform, zipf or distinct")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, key_distribution>{{"single", key_distribution::single},
                                                                          {"uniform", key_distribution::uniform},
                                                                          {"zipf", key_distribution::zipf},
                                                                          {"distinct", key_distribution::distinct}}));
  app.add_option("--key-space", out.key_space, "number of documents")->check(CLI::Range(1ULL, 100'000'000ULL));
  app.add_option("--zipf-exponent", out.zipf_exponent, "s in 1 / rank^s")->check(CLI::Range(0.0, 10.0));
  app.add_option("--write-share", out.write_share, "share of updates by _id")->check(CLI::Range(0.0, 1.0));
  app.add_option("--top-share", out.top_share, "share of top-N lists")->check(CLI::Range(0.0, 1.0));
  app.add_option("--top-limit", out.top_limit, "N of a top-N list")->check(CLI::Range(1U, 1000U));
  app.add_option("--categories", out.categories, "number of different top-N lists")->check(CLI::Range(1U, 1'000'000U));
  app.add_option("--namespace", ns, "DATABASE.COLLECTION");
  app.add_flag("--populate", out.populate, "write the documents or values first");
  app.add_flag("--only-populate", out.only_populate, "and do nothing else");
  app.add_option("--value-size", out.value_size, "bytes of a Redis value or of a document written by --populate")
      ->check(CLI::Range(128U, 1'000'000U));
  app.add_option("--seed", out.seed, "seed of the random choices");
  app.add_option("--core", out.core, "core of the first thread; negative: any");
  try {
    app.parse(argc, argv);
    out.target = parse_endpoint(target);
    const auto dot = ns.find('.');
    if (dot == std::string::npos || dot == 0) throw CLI::ValidationError("--namespace", "DATABASE.COLLECTION expected");
    if (out.write_share + out.top_share > 1) throw CLI::ValidationError("--top-share", "the shares exceed 1");
    if (out.protocol == load_protocol::redis && (out.write_share > 0 || out.top_share > 0)) {
      throw CLI::ValidationError("--protocol", "redis has GET only");
    }
    if (out.connections < out.threads) throw CLI::ValidationError("--threads", "more threads than connections");
    if (out.rate > 0 && out.count > 0) throw CLI::ValidationError("--rate", "an open loop runs by time, not by count");
    out.database = ns.substr(0, dot);
    out.collection = ns.substr(dot + 1);
    out.populate = out.populate || out.only_populate;
  } catch (const CLI::ParseError& e) {
    exit_status = app.exit(e);
    return false;
  }
  return true;
}

}  // namespace mongocached::bench
