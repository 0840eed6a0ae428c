// A replica set as the proxies see it: a primary's oplog of versioned contents, the majority's commit point, elections
// that roll back what no majority had, a deposed primary that goes on answering, restores from a backup.
//
// A position is an index into the oplog: "everything before it". The log starts with one no-op, so that position 0
// has neither time nor contents to offer.
#pragma once

#include <optional>
#include <vector>

#include "catalog.hpp"

namespace mongocached::simulation {

enum class op_kind : std::uint8_t { noop, insert, replace, update, remove, drop };

struct op {
  cluster_time time = 0;
  std::uint32_t serial = 0;
  op_kind what = op_kind::noop;
  bool kind_touched = false;  // of an update: the path `kind` changed; `price` and `v` always
  bool sets_kind = false;     // the command named it
  std::uint8_t id = 0;
  std::int8_t acked_via = -1;  // the proxy
  contents after{};
  instant applied{};
  instant majority = never;
  instant acked = never;
  instant undone = never;  // rolled back
};

// One statement; a command has one or several.
struct statement {
  op_kind what = op_kind::noop;
  std::uint8_t id = 0;
  bool sets_kind = true;  // of an update: else the price alone
  row to{};               // version is given by the cluster
};

struct write_reply {
  cluster_time operation_time = 0;
  std::uint32_t first = 0;  // serials of the operations: [first, end)
  std::uint32_t end = 0;
};

struct read_reply {
  contents all{};
  cluster_time operation_time = 0;
};

class model_cluster {
 public:
  explicit model_cluster(instant now);

  // At the primary. `together`: a transaction, one time for all. What does not apply changes nothing.
  write_reply write(const std::vector<statement>& what, bool together, instant now);
  void tick(instant now);  // a no-op
  void advance_majority(std::size_t to, instant now);
  // Keeps the first `kept` operations (not less than the majority has); the old primary's log stays readable.
  void elect(std::size_t kept, bool times_again, instant now);
  void restore(std::size_t kept, instant now);

  // A read at the primary of now. Empty: it has to wait (for a majority).
  [[nodiscard]] std::optional<read_reply> read(cache::entry_level level, cluster_time after, instant now);
  // At a lagging secondary or at the primary of before. Empty: it has not got that far.
  [[nodiscard]] std::optional<read_reply> read_behind(cache::entry_level level, cluster_time after) const;
  // Where read_behind() reads: a prefix of the present log, or else the deposed primary's own log.
  void set_behind(std::size_t position);
  // The old primary, still serving, takes a write that will be rolled back.
  void write_deposed(const statement& what, instant now);

  void acknowledge(const write_reply& reply, int proxy, instant now);

  [[nodiscard]] const std::vector<op>& log() const noexcept { return log_; }
  [[nodiscard]] const std::vector<op>& undone() const noexcept { return undone_; }
  [[nodiscard]] std::size_t majority() const noexcept { return majority_; }
  [[nodiscard]] cluster_time majority_time() const noexcept { return log_[majority_ - 1].time; }
  [[nodiscard]] cluster_time time() const noexcept { return log_.back().time; }
  [[nodiscard]] std::uint32_t term() const noexcept { return term_; }
  [[nodiscard]] std::size_t first_kept() const noexcept { return first_kept_; }
  // History before this position is gone from the oplog.
  void forget_history(std::size_t before) noexcept { first_kept_ = before; }

 private:
  // Or the position behind the transaction that it falls into.
  [[nodiscard]] std::size_t end_of_transaction(std::size_t position) const noexcept;
  void undo_behind(std::size_t kept, instant now);
  void append(op_kind what, std::uint8_t id, const contents& after, cluster_time time, instant now);
  [[nodiscard]] bool carry_out(const statement& what, contents& all, op_kind& did, bool& kind_touched);

  std::vector<op> log_;
  std::vector<op> undone_;
  std::vector<op> behind_;
  std::size_t behind_majority_ = 1;  // as that server knows it
  std::size_t majority_ = 1;
  std::size_t first_kept_ = 0;
  std::uint32_t term_ = 1;
  std::uint32_t last_version_ = 0;
  std::uint32_t last_serial_ = 0;
  cluster_time next_time_ = 0;
};

// The change event of an operation, as BSON; false for a no-op.
[[nodiscard]] bool append_event(byte_buffer& out, const op& o);

}  // namespace mongocached::simulation
