// The in-process cache at scale: prints one JSON object about one thing. Used by the section `scale` of run.py.
#include "bench/scale/scale.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cache/heap.hpp"

int main(int argc, char** argv) {
  using namespace mongocached;
  cache::prepare_heap();  // as the daemon
  bench::scale_options options;
  CLI::App app{"memory, look-ups and insertions of the in-process cache, as JSON"};
  app.require_subcommand(1);
  const auto command = [&](const char* name, const char* text, void (*measure)(const bench::scale_options&)) {
    CLI::App* added = app.add_subcommand(name, text);
    added->callback([&options, measure] { measure(options); });
    added->add_option("--entries", options.entries, "entries")->check(CLI::Range(1000ULL, 100'000'000ULL));
    added->add_option("--value-bytes", options.value_bytes, "bytes of a value")->check(CLI::Range(1U, 16U << 20U));
    return added;
  };
  command("memory", "bytes of an entry besides its key and value", bench::measure_memory);
  CLI::App* budget = command("budget", "resident memory beside the budget", bench::measure_budget);
  budget->add_option("--budget", options.budget, "bytes")->check(CLI::Range(1ULL << 20U, 1ULL << 40U));
  budget->add_option("--then-bytes", options.then_bytes, "bytes of later values; 0: the same")
      ->check(CLI::Range(0U, 16U << 20U));
  CLI::App* lookups = command("lookups", "time of a hit", bench::measure_lookups);
  lookups->add_option("--lookups", options.lookups, "how many")->check(CLI::Range(1000ULL, 1'000'000'000ULL));
  lookups->add_flag("--zipf", options.zipf, "keys by Zipf 0.99");
  command("insertions", "time of single insertions", bench::measure_insertions);
  try {
    CLI11_PARSE(app, argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "scale: %s\n", e.what());
    return 1;
  }
}
