// The load generator: closed or open loop, MongoDB or Redis. Prints one JSON document; exit status 0 only if every
// reply of the run was the right one and at least one was counted.
#include <sys/resource.h>

#include <array>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

#include "bench/load_worker.hpp"

namespace {

using namespace mongocached::bench;

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) {
      out += '?';
    } else {
      out += c;
    }
  }
  return out + '"';
}

void print(const load_options& options, const load_result& r) {
  const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  const auto total = r.latencies.total();
  std::printf("{\"connections\": %u, \"threads\": %u, \"rate\": %.0f,\n", options.connections, options.threads,
              options.rate);
  std::printf(
      " \"requests\": %llu, \"reads\": %llu, \"writes\": %llu, \"tops\": %llu, \"unsent\": %llu, \"errors\": %llu,\n",
      static_cast<unsigned long long>(total), static_cast<unsigned long long>(r.reads),
      static_cast<unsigned long long>(r.writes), static_cast<unsigned long long>(r.tops),
      static_cast<unsigned long long>(r.unsent), static_cast<unsigned long long>(r.errors));
  std::printf(" \"all_requests\": %llu,\n", static_cast<unsigned long long>(r.all));
  std::printf(" \"first_error\": %s,\n", json_text(r.first_error).c_str());
  std::printf(" \"seconds\": %.6f, \"throughput\": %.1f, \"cpu_seconds\": %.6f,\n", r.seconds,
              r.seconds > 0 ? static_cast<double>(total) / r.seconds : 0.0, r.cpu_seconds);
  const auto& h = r.latencies;
  std::printf(
      " \"latency_us\": {\"mean\": %.2f, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f, \"max\": "
      "%.2f},\n",
      h.mean() / 1000.0, us(h.percentile(50)), us(h.percentile(90)), us(h.percentile(99)), us(h.percentile(99.9)),
      us(h.max()));
  std::printf(" \"curve\": [");
  const char* separator = "";
  for (const double p : {0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.99, 99.999}) {
    std::printf("%s[%g, %.2f]", separator, p, us(h.percentile(p)));
    separator = ", ";
  }
  std::printf("]}\n");
}

class load_run {
 public:
  explicit load_run(const load_options& options) : options_(options), barrier_(options.threads) {
    if (options.keys == key_distribution::zipf) {
      shares_ = std::make_shared<const std::vector<double>>(zipf_shares(options.key_space, options.zipf_exponent));
    }
  }

  // Throws what the first failing thread threw.
  load_result run() {
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 1; i < options_.threads; ++i) threads.emplace_back([this, i] { guard(i); });
      guard(0);
    }
    if (failure_) std::rethrow_exception(failure_);
    return std::move(result_);
  }

 private:
  // A thread that fails leaves the barrier, so that the others do not wait for it.
  void guard(unsigned index) {
    try {
      thread(index);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      barrier_.arrive_and_drop();
    }
  }

  void thread(unsigned index) {
    if (options_.core >= 0) pin_thread(options_.core + static_cast<int>(index));
    load_worker worker(options_, shares_, index);
    worker.connect();
    if (options_.populate && index == 0) worker.populate();
    barrier_.arrive_and_wait();
    if (options_.only_populate) return;
    rest(index);
    worker.warm_up();
    barrier_.arrive_and_wait();
    const load_result mine = worker.measure();
    {
      const std::lock_guard lock(mutex_);
      result_.merge(mine);
    }
    barrier_.arrive_and_wait();
    rest(index);
  }

  void rest(unsigned index) {
    if (options_.idle_seconds <= 0) return;
    if (index == 0) std::fputs("idle\n", stderr);
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.idle_seconds));
  }

  const load_options& options_;
  std::shared_ptr<const std::vector<double>> shares_;
  std::barrier<> barrier_;
  std::mutex mutex_;
  load_result result_;
  std::exception_ptr failure_;
};

// The soft limit is low for programs that use select(), which this one does not.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(int argc, char** argv) {
  raise_descriptor_limit();
  load_options options;
  int exit_status = 0;
  if (!parse_load_options(argc, argv, options, exit_status)) return exit_status;
  const load_result result = load_run(options).run();
  if (options.only_populate) return 0;
  print(options, result);
  return result.errors == 0 && result.latencies.total() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load: %s\n", e.what());
    return 1;
  }
}
