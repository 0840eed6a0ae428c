// What must hold at every answer that a proxy gives without asking the primary.
#pragma once

#include <string>
#include <vector>

#include "model_cluster.hpp"

namespace mongocached::simulation {

enum class source : std::uint8_t { memory, joined, redis };

struct served {
  int proxy = 0;
  std::size_t item = 0;
  cache::entry_level level = cache::entry_level::local;
  cluster_time after = 0;  // of a causal session
  instant since{};         // the answer may be as old as at the request's beginning
  source from = source::memory;
  answer what;
};

class checks {
 public:
  void look_at(const model_cluster& cluster, const served& s, duration bound);
  [[nodiscard]] const std::vector<std::string>& violations() const noexcept { return violations_; }
  void clear() noexcept { violations_.clear(); }

  std::uint64_t hits[3] = {};
  instant restored{};       // what was asked before that may be answered from before
  std::uint64_t reads = 0;  // all, hits too

 private:
  std::vector<std::string> violations_;
};

}  // namespace mongocached::simulation
