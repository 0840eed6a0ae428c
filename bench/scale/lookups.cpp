#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "bench/key_picker.hpp"
#include "bench/scale/entries.hpp"
#include "bench/scale/scale.hpp"
#include "cache/heap.hpp"

namespace mongocached::bench {

namespace {

constexpr int rounds = 5;  // the fastest counts: others' work only ever adds time

// Of this thread's own time: what a busy machine takes away is not in it.
double thread_nanoseconds() {
  timespec now{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) throw std::runtime_error("no clock of this thread");
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Numbers of the entries asked for, one after the other, drawn beforehand so that drawing costs nothing. The popular
// ones lie anywhere.
std::vector<std::uint32_t> draw(const scale_options& options) {
  std::mt19937_64 random(1);
  std::vector<std::uint32_t> order(options.entries);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  const auto shares =
      options.zipf ? std::make_shared<const std::vector<double>>(zipf_shares(options.entries, 0.99)) : nullptr;
  const auto kind = options.zipf ? key_distribution::zipf : key_distribution::uniform;
  key_picker pick(kind, options.entries, shares, 2, 0, 1);
  std::vector<std::uint32_t> asked(options.lookups);
  for (std::uint32_t& at : asked) at = order[pick.next()];
  return asked;
}

// Nanoseconds a call of `body`, which is told each entry's number.
template <class Body>
double fastest(const std::vector<std::uint32_t>& asked, Body body) {
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    const double start = thread_nanoseconds();
    body(asked);
    const double each = (thread_nanoseconds() - start) / static_cast<double>(asked.size());
    best = round == 0 ? each : std::min(best, each);
  }
  return best;
}

struct freed {
  void operator()(std::uint64_t* block) const noexcept { std::free(block); }
};
using block = std::unique_ptr<std::uint64_t, freed>;

// One read of a block's first word, whose address depends on the word read before.
double time_of_chase(const scale_options& options, const std::vector<std::uint32_t>& asked, std::size_t block_bytes) {
  std::vector<block> blocks;
  blocks.reserve(options.entries);
  for (std::uint64_t at = 0; at < options.entries; ++at) {
    blocks.emplace_back(static_cast<std::uint64_t*>(std::malloc(block_bytes)));
    if (blocks.back() == nullptr) throw std::bad_alloc();
    *blocks.back() = 0;
  }
  // In the order asked for, so that the list itself is read ahead of time.
  std::vector<const std::uint64_t*> order;
  order.reserve(asked.size());
  for (const std::uint32_t at : asked) order.push_back(blocks[at].get());
  return fastest(asked, [&](const auto&) {
    std::uint64_t zero = 0;
    for (const std::uint64_t* at : order) zero += at[zero];
    if (zero != 0) throw std::runtime_error("the blocks changed");
  });
}

// A hit as the daemon makes it: hash the key, find it, read the value's first byte. The next key depends on that byte.
double time_of_hits(const scale_options& options, const std::vector<std::uint32_t>& asked) {
  entry_maker maker(options.value_bytes);
  cache::local_cache held({.budget_bytes = roomy(options.entries, options.value_bytes)});
  for (std::uint64_t at = 0; at < options.entries; ++at) held.insert(maker.make(at, options.value_bytes));
  if (held.stats().entries != options.entries) throw std::runtime_error("not all entries are held");
  return fastest(asked, [&](const auto& numbers) {
    std::uint64_t zero = 0;
    for (const std::uint32_t at : numbers) {
      const cache::key_view key = maker.keys().of(at + zero);
      const cache::entry_ref found = held.find(key.bytes, key.hash, cache::instant{0});
      if (!found) throw std::runtime_error("an entry is not found");
      zero = found->value()[0];
    }
  });
}

// The same without the look-up: what making and hashing a key costs.
double time_of_keys(const std::vector<std::uint32_t>& asked) {
  document_key keys;
  return fastest(asked, [&](const auto& numbers) {
    std::uint64_t last = 0;
    for (const std::uint32_t at : numbers) last = keys.of(at + (last >> 63U >> 1U)).hash;
    if (last == 0) throw std::runtime_error("a hash of 0 is improbable");
  });
}

}  // namespace

void measure_lookups(const scale_options& options) {
  if (options.entries > UINT32_MAX) throw std::runtime_error("too many entries");
  const std::vector<std::uint32_t> asked = draw(options);
  const std::size_t block_bytes = sizeof(cache::entry) + document_key().size() + options.value_bytes;
  const double chase = time_of_chase(options, asked, block_bytes);
  cache::trim_heap(0);  // so that the entries lie as in a fresh process
  const double hits = time_of_hits(options, asked);
  std::printf("{\"entries\": %llu, \"zipf\": %s, \"footprint\": %llu, \"hit_ns\": %.2f, \"chase_ns\": %.2f, ",
              static_cast<unsigned long long>(options.entries), options.zipf ? "true" : "false",
              static_cast<unsigned long long>(options.entries * block_bytes), hits, chase);
  std::printf("\"key_ns\": %.2f}\n", time_of_keys(asked));
}

}  // namespace mongocached::bench
