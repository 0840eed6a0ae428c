#include "checks.hpp"

namespace mongocached::simulation {
namespace {

using cache::entry_level;

// Everything up to this operation must be in the answer.
const char* ends_the_search(const op& o, const served& s, duration bound) noexcept {
  const bool majority = s.level == entry_level::majority;
  if (s.after != 0 && o.time <= s.after) return "the session had seen it";
  if ((majority ? o.majority : o.applied) < s.since - bound) return "older than the bound";
  return nullptr;
}

bool was_acknowledged_here(const op& o, const served& s) noexcept {
  const bool acked = o.acked_via == s.proxy && o.acked <= s.since;
  return acked && (s.level != entry_level::majority || o.majority <= s.since);
}

bool ends_a_time(const std::vector<op>& log, std::size_t at) noexcept {
  return at + 1 == log.size() || log[at + 1].time != log[at].time;
}

// The writes that were acknowledged through the reader's proxy, carried out on top of whatever else a list has seen: an
// update of one field shows in a list only as far as the rest of that document does.
class overlay {
 public:
  void add(const op& older) noexcept {
    if (count_ < most) own_[count_++] = &older;
  }
  [[nodiscard]] answer result(std::size_t item, const contents& below) const noexcept {
    if (count_ == 0) return evaluate(item, below);
    auto all = below;
    for (auto at = count_; at-- > 0;) carry_out(*own_[at], all);
    return evaluate(item, all);
  }

 private:
  static void carry_out(const op& o, contents& all) noexcept {
    auto& row = all[o.id];
    const auto& after = o.after[o.id];
    if (o.what == op_kind::drop) {
      all = {};
    } else if (o.what != op_kind::update) {
      row = after;
    } else if (row.version != 0) {
      row.version = after.version;
      row.price = after.price;
      if (o.sets_kind) row.kind = after.kind;
    }
  }
  static constexpr std::size_t most = 64;
  std::array<const op*, most> own_;
  std::size_t count_ = 0;
};

bool names(const op& o, std::size_t item) noexcept {
  return o.what == op_kind::drop || o.id == item;
}

// The answer comes from operations that an election has undone: allowed to a local reader for as long as it can take
// to learn of the election.
bool was_undone_lately(const model_cluster& cluster, const served& s, duration bound) {
  if (s.level == entry_level::majority) return false;
  for (const auto& o : cluster.undone()) {
    if (o.undone < s.since - bound || (s.item < documents && !names(o, s.item))) continue;
    if (evaluate(s.item, o.after) == s.what) return true;
  }
  return false;
}

}  // namespace

// The result of some moment, back to the newest operation that it must contain.
void checks::look_at(const model_cluster& cluster, const served& s, duration bound) {
  ++hits[static_cast<std::size_t>(s.from)];
  if (s.since < restored) return;
  const auto& log = cluster.log();
  overlay own;
  const char* why = "this never was";
  cluster_time missing = 0;
  for (auto at = log.size(); at-- > 0;) {
    const auto& o = log[at];
    const bool visible = s.level == entry_level::local || at < cluster.majority();
    if (visible && ends_a_time(log, at) && own.result(s.item, o.after) == s.what) return;
    if (o.what == op_kind::noop) continue;
    if (const char* required = ends_the_search(o, s, bound)) {
      why = required;
      missing = o.time;
      break;
    }
    if (was_acknowledged_here(o, s) && (s.item >= documents || names(o, s.item))) {
      why = "acknowledged through this proxy";
      missing = o.time;
      if (s.item < documents) break;
      own.add(o);
    }
  }
  if (was_undone_lately(cluster, s, bound)) return;
  static constexpr const char* sources[] = {"memory", "a flight", "Redis"};
  violations_.push_back("proxy " + std::to_string(s.proxy) + " served " + text_of(s.item, s.what) + " from " +
                        sources[static_cast<std::size_t>(s.from)] + ", at best without the write at " +
                        std::to_string(missing) + ": " + why + "; now it is " +
                        text_of(s.item, evaluate(s.item, log.back().after)));
}

}  // namespace mongocached::simulation
