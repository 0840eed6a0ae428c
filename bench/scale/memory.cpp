#include <cstdio>

#include "bench/scale/entries.hpp"
#include "bench/scale/scale.hpp"

namespace mongocached::bench {

namespace {

using ull = unsigned long long;

// Puts distinct entries into a cache and keeps an eye on resident memory meanwhile.
class stream {
 public:
  stream(cache::local_cache& held, std::uint32_t most_value_bytes, std::uint64_t budget)
      : held_(held), maker_(most_value_bytes), budget_(budget), before_(resident_bytes()) {}

  // Until their bytes make five budgets; the most that was resident meanwhile.
  std::uint64_t pass(std::uint32_t value_bytes) {
    std::uint64_t most = 0;
    std::uint64_t next_look = 0;
    for (std::uint64_t passed = 0; passed < 5 * budget_;) {
      cache::entry_ref fresh = maker_.make(number_++, value_bytes);
      passed += fresh->footprint();
      held_.insert(std::move(fresh));
      if (passed < next_look) continue;
      most = std::max(most, resident());
      next_look = passed + budget_ / 100;
    }
    return std::max(most, resident());
  }
  [[nodiscard]] std::uint64_t resident() const { return resident_bytes() - before_; }

 private:
  cache::local_cache& held_;
  entry_maker maker_;
  std::uint64_t budget_;
  std::uint64_t before_;
  std::uint64_t number_ = 0;
};

}  // namespace

void measure_memory(const scale_options& options) {
  entry_maker maker(options.value_bytes);
  const std::uint64_t before = resident_bytes();
  cache::local_cache held({.budget_bytes = roomy(options.entries, options.value_bytes)});
  for (std::uint64_t at = 0; at < options.entries; ++at) held.insert(maker.make(at, options.value_bytes));
  const std::uint64_t resident = resident_bytes() - before;
  const cache::local_cache_stats stats = held.stats();
  if (stats.entries != options.entries) throw std::runtime_error("not all entries are held");
  const std::uint64_t payload = options.entries * (options.value_bytes + maker.keys().size());
  std::printf("{\"entries\": %llu, \"key_bytes\": %zu, \"value_bytes\": %u, \"header_bytes\": %zu,\n",
              static_cast<ull>(options.entries), maker.keys().size(), options.value_bytes, sizeof(cache::entry));
  std::printf(" \"payload\": %llu, \"counted\": %llu, \"resident\": %llu}\n", static_cast<ull>(payload),
              static_cast<ull>(stats.bytes), static_cast<ull>(resident));
}

void measure_budget(const scale_options& options) {
  const std::uint32_t then = options.then_bytes == 0 ? options.value_bytes : options.then_bytes;
  cache::local_cache held({.budget_bytes = options.budget});
  stream entries(held, std::max(options.value_bytes, then), options.budget);
  const std::uint64_t first = entries.pass(options.value_bytes);
  const std::uint64_t most = entries.pass(then);
  const cache::local_cache_stats stats = held.stats();
  std::printf("{\"budget\": %llu, \"value_bytes\": %u, \"then_bytes\": %u, \"entries\": %llu,\n",
              static_cast<ull>(options.budget), options.value_bytes, then, static_cast<ull>(stats.entries));
  std::printf(" \"counted\": %llu, \"most_first\": %llu, ", static_cast<ull>(stats.bytes), static_cast<ull>(first));
  std::printf("\"most_then\": %llu, \"resident\": %llu}\n", static_cast<ull>(most),
              static_cast<ull>(entries.resident()));
}

}  // namespace mongocached::bench
