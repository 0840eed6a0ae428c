// What a command may change, decided before it is forwarded (coherence W1, W3, W4, W6). Pure: the command in, a plan
// out. The rule: a command that is not known to be harmless is a write of unknown extent.
//
// Keys are known where a filter holds `_id` to a modelled value, {$eq: value} or {$in: [values]} - alone or beside
// other fields, which can only narrow it - without a collation, and where an upsert could only insert that very _id.
// Where the command tells what it does to the documents, the plan says it: the caller judges the lists by it, and else
// counts them all as written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cache/document_id.hpp"
#include "cache/matcher/affected_list.hpp"
#include "protocol/command_view.hpp"

namespace mongocached::cache {

enum class command_kind : std::uint8_t {
  read,     // changes nothing: find, aggregate without $out/$merge, count, distinct, getMore, explain, listX, ...
  session,  // changes nothing cached: ping, hello, sasl*, endSessions, killCursors, abortTransaction, ...
  write,    // `targets` says what; never empty
  commit,   // commitTransaction: what the transaction collected
  // Proofs fall (wire rule I2). User and role commands write to `admin` alone, which is never cached: no targets. Where
  // there are targets (a write into admin.system.*, applyOps, whatever reaches everything) it is a write of them as
  // well.
  authorization,
};

enum class extent : std::uint8_t {
  keys,        // exactly these documents, and the lists that `changes` may reach
  collection,  // any document and list of the namespace
  database,
  everything,
};

// What one statement does, as far as the command tells: enough to judge the lists (coherence W3, M).
struct planned_change {
  list_write::kind what = list_write::kind::unknown;
  byte_buffer document;            // inserted, replaced: as sent; updated, deleted: {_id: value}
  std::vector<std::string> paths;  // updated
};

struct write_target {
  extent reach = extent::keys;
  bool ddl = false;              // the namespace itself may have changed: K1 must be read again
  bool waits_for_stream = true;  // false: its readers do not (mode `ttl`), so that all it may change falls at once
  std::string db{};
  std::string collection{};  // empty for database and everything; db too for everything
  // extent::keys: keys of documents, one behind the other in key_bytes; possibly with repetitions.
  byte_buffer key_bytes{};
  std::vector<std::pair<std::size_t, std::size_t>> keys{};  // begin, end
  // extent::keys: all that the command does to the collection; empty where it does not tell (`told` false).
  std::vector<planned_change> changes{};
  bool told = true;

  [[nodiscard]] bool is_judged() const noexcept { return reach == extent::keys && told && !changes.empty(); }
  void forget_changes() noexcept {
    std::vector<planned_change>().swap(changes);
    told = false;
  }
};

struct write_plan {
  command_kind kind = command_kind::read;
  bool unknown_command = false;  // not in the table: a reply CommandNotFound (59) shows that it changed nothing
  bool unacknowledged = false;   // w: 0, or moreToCome: no reply says what became of it
  // An aggregate with $out or $merge and cursor.batchSize 0: its reply opens a cursor and nothing is written before the
  // first getMore on it. A getMore with that cursor id is a write of `targets` (invalidate after it, whatever its
  // outcome), until the cursor is closed; the aggregate itself is planned as a write as well.
  bool deferred = false;
  // In a transaction that somebody else may commit: what it changes may show itself at any moment from now on.
  bool uncommitted = false;
  std::vector<write_target> targets;
};

// More keys than this in one command become extent::collection (memory is bounded by it).
inline constexpr std::size_t max_planned_keys = 1000;

// Fills `out` (reusable). `whole` is false where only the front of a large message was seen: the kind-1 sequences may
// be missing or cut; then every write reaches its whole collection (or everything, if not even $db was seen). A command
// inside a transaction is planned the same way; the caller collects the targets until the commit (W6).
void plan_write(const protocol::command_view& command, bool whole, write_plan& out);

// By name alone, without looking at arguments: harmless whatever they are (command_kind read or session). aggregate and
// mapReduce are not; explain is (it executes no write).
[[nodiscard]] bool is_known_read(std::string_view command) noexcept;

// Index into the closed list of command names that metrics use as label values; `other` for the rest.
[[nodiscard]] std::size_t command_label(std::string_view command) noexcept;
[[nodiscard]] std::size_t command_label_count() noexcept;
[[nodiscard]] const char* command_label_name(std::size_t index) noexcept;

}  // namespace mongocached::cache
