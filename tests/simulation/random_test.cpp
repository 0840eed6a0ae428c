// Many short schedules from consecutive seeds; see README.md for how to replay one.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "schedule.hpp"

namespace mongocached::simulation {
namespace {

constexpr std::size_t steps_a_schedule = 500;
constexpr std::uint64_t shards = 4;  // ctest runs them beside each other

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// MONGOCACHED_SIMULATION_WITHOUT=n: how soon do random schedules miss guard n of cache/guard.hpp, or n - 100 of
// guards.hpp? Failures are then what is looked for.
std::unique_ptr<without> guard_taken_out() {
  const auto n = number_from("MONGOCACHED_SIMULATION_WITHOUT", 0);
  if (n == 0) return nullptr;
  return n < 100 ? std::make_unique<without>(static_cast<cache::guard>(n))
                 : std::make_unique<without>(static_cast<model_guard>(n - 100));
}

class RandomSchedules : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomSchedules, keep_every_promise) {
  const auto only = number_from("MONGOCACHED_SIMULATION_SEED", 0);
  if (only != 0 && GetParam() != 0) GTEST_SKIP() << "one schedule is asked for";
  const auto count = only != 0 ? 1 : number_from("MONGOCACHED_SIMULATION_SCHEDULES", 1'000'000) / shards;
  const auto first = only != 0 ? only : number_from("MONGOCACHED_SIMULATION_FIRST", 1) + GetParam() * count;
  const auto out = guard_taken_out();
  std::uint64_t reads = 0;
  std::uint64_t hits[3] = {};
  std::uint64_t failures = 0;
  for (auto seed = first; seed < first + count && failures < 10; ++seed) {
    const auto result = schedule(seed, only != 0).run(steps_a_schedule);
    reads += result.reads;
    for (std::size_t i = 0; i < 3; ++i) hits[i] += result.hits[i];
    for (const auto& what : result.violations) {
      ++failures;
      ADD_FAILURE() << "seed " << seed << ", step " << result.steps << ": " << what
                    << "\nreplay: MONGOCACHED_SIMULATION_SEED=" << seed
                    << " build/release/tests/simulation_tests --gtest_filter=*keep_every_promise*";
    }
  }
  const auto all = hits[0] + hits[1] + hits[2];
  const auto percent = [reads](std::uint64_t n) { return reads == 0 ? 0 : n * 100 / reads; };
  RecordProperty("hit_percent", static_cast<int>(percent(all)));
  std::printf("%llu reads, hits: %llu %% from memory, %llu %% from flights, %llu %% from Redis\n",
              static_cast<unsigned long long>(reads), static_cast<unsigned long long>(percent(hits[0])),
              static_cast<unsigned long long>(percent(hits[1])), static_cast<unsigned long long>(percent(hits[2])));
  if (only == 0 && count >= 100) {
    EXPECT_GE(percent(all), 30U);
  }
}

INSTANTIATE_TEST_SUITE_P(Shard, RandomSchedules, ::testing::Range(std::uint64_t{0}, shards));

}  // namespace
}  // namespace mongocached::simulation
