#include "daemon/session/namespace_probe.hpp"

#include <algorithm>
#include <string>

#include "daemon/milliseconds.hpp"

namespace mongocached::daemon {
namespace {

using cache::cacheability;
using protocol::bson_builder;

// A collection that is not there yet, or an identity that may not list collections, is asked about again soon.
constexpr cache::duration soon = std::chrono::seconds(5);
// What another client asks is waited for no longer than this, and so is the answer to a question of one's own. For
// three quarters of it the server may look, so that it ends the question itself and the connection stays of use.
constexpr cache::duration longest_probe = std::chrono::seconds(1);
// However little time a client has: an answer is of use to all.
constexpr cache::duration shortest_probe = std::chrono::milliseconds(100);
// A connection that a client has logged in on is not given up for a question before this.
constexpr cache::duration longest_silence = std::chrono::seconds(5);

protocol::byte_buffer list_collections(const cache::namespace_state& ns, bool names_only) {
  protocol::byte_buffer out;
  bson_builder command(out);
  command.append_int32("listCollections", 1);
  {
    auto filter = command.open_document("filter");
    filter.append_string("name", ns.collection());
  }
  if (names_only) {
    command.append_bool("nameOnly", true);
    command.append_bool("authorizedCollections", true);
  }
  command.append_string("$db", ns.db());
  command.finish();
  return out;
}

// Options that change what a find answers, or that make the collection something else than a plain one.
bool is_harmless_option(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 9> harmless{"validator",
                                                     "validationLevel",
                                                     "validationAction",
                                                     "storageEngine",
                                                     "indexOptionDefaults",
                                                     "autoIndexId",
                                                     "uuid",
                                                     "flags",
                                                     "changeStreamPreAndPostImages"};
  return std::ranges::find(harmless, name) != harmless.end();
}

// One client of a thread asks, the others wait for the answer; they are told when that is over, however it ended. For a
// namespace, or (null) for the cluster's defaults.
class probe {
 public:
  probe(data_thread& thread, const cache::namespace_state* ns) : thread_(thread), ns_(ns), first_(begin()) {}
  // NOLINTNEXTLINE(bugprone-exception-escape): without memory to tell the others the process ends here.
  ~probe() {
    if (!first_) return;
    const auto mine = thread_.probes.find(ns_);
    const auto waiting = std::move(mine->second.waiting);
    if (!unanswered_) thread_.probes.erase(mine);
    for (const auto& waiter : waiting) waiter->deliver(true);
  }
  probe(const probe&) = delete;
  probe& operator=(const probe&) = delete;

  // Not asked again by anybody of this thread for a while: each would wait in vain.
  void leave_alone() {
    if (!first_) return;
    unanswered_ = true;
    thread_.probes.at(ns_).again_at = data_thread::now() + soon;
  }

 private:
  bool begin() {
    auto& probes = thread_.probes;
    if (const auto old = probes.find(ns_); old != probes.end() && old->second.is_over()) probes.erase(old);
    return probes.try_emplace(ns_, data_thread::now()).second;
  }

  data_thread& thread_;
  const cache::namespace_state* ns_;
  const bool first_;
  bool unanswered_ = false;
};

// Asks for one request, and no longer than is good for it.
class inquiry {
 public:
  inquiry(session& s, const request& r) : s_(s), r_(r) {}

  // False: the connection was lost, or nothing was told in time. Then it may be closed, so that a late reply reaches
  // nobody.
  task<bool> ask(protocol::byte_buffer question, protocol::byte_buffer& message, protocol::reply_view& reply) {
    const auto now = data_thread::now();
    const auto time = std::clamp(selection_deadline(r_) - now, shortest_probe, longest_probe);
    const auto limited = with_time_limit(question, time * 3 / 4);
    const session::patience patience(s_, now + (s_.identity().is_bound() ? longest_silence : time), [this] {
      unanswered_ = true;
      if (auto* const link = s_.open_upstream()) link->close();
    });
    if (!co_await s_.ask(limited, message, reply)) co_return false;
    if (reply.code == static_cast<std::int32_t>(protocol::error_code::max_time_ms_expired)) unanswered_ = true;
    co_return !unanswered_;
  }
  [[nodiscard]] bool is_unanswered() const noexcept { return unanswered_ && s_.is_open(); }
  // How the request goes on when ask() was false.
  [[nodiscard]] exchange outcome() const noexcept {
    if (!s_.is_open()) return exchange::client_lost;
    return unanswered_ ? exchange::ok : exchange::upstream_lost;
  }

 private:
  static protocol::byte_buffer with_time_limit(protocol::byte_view question, cache::duration limit) {
    protocol::byte_buffer out;
    bson_builder command(out);
    command.append_all(*protocol::bson_view::parse(question));
    command.append_int32("maxTimeMS", static_cast<std::int32_t>(milliseconds(limit)));
    command.finish();
    return out;
  }

  session& s_;
  const request& r_;
  bool unanswered_ = false;
};

// True if somebody else asked, and has ended or was waited for long enough, or got no answer a short while ago. One
// that lasts longer is no longer waited for.
task<bool> waited_for_other(session& s, const cache::namespace_state* ns) {
  auto& thread = s.thread();
  const auto asked = thread.probes.find(ns);
  if (asked == thread.probes.end()) co_return false;
  if (asked->second.is_over()) co_return data_thread::now() < asked->second.again_at;
  const auto until = asked->second.begun + longest_probe;
  if (data_thread::now() >= until) co_return false;
  const auto over = std::make_shared<one_shot<bool>>(thread.get_executor());
  asked->second.waiting.push_back(over);
  const session::patience limited(s, until, [over] { over->deliver(false); });
  static_cast<void>(co_await over->wait());
  co_return true;
}

protocol::bson_view body_of(protocol::byte_view message) {
  protocol::op_msg parsed;
  static_cast<void>(protocol::parse_op_msg(message, parsed));
  return parsed.body;
}

// By the only row's type; `entry` becomes the row. The fields of the cursor come in any order: mongod's begins with the
// id here, and with the batch in a find's.
cacheability kind_listed(protocol::bson_view reply, protocol::bson_view* entry = nullptr) noexcept {
  const auto ok = reply.find("ok");
  const auto cursor = reply.find("cursor");
  const auto listed = cursor ? cursor->object() : std::nullopt;
  if (!ok || ok->truthy() != true || !listed) return cacheability::not_cacheable;
  const auto id = listed->find("id");
  const auto batch = listed->find("firstBatch");
  const auto array = batch ? batch->array() : std::nullopt;
  if (!id || id->integer() != 0 || !array) return cacheability::not_cacheable;
  protocol::bson_element row;
  protocol::bson_cursor rows(*array);
  if (!rows.next(row)) return rows.failed() ? cacheability::not_cacheable : cacheability::missing;
  const auto document = row.document();
  if (!document || document->text_of("type") != "collection") return cacheability::not_cacheable;
  if (entry != nullptr) *entry = *document;
  return cacheability::plain;
}

task<bool> ask_kind(session& s, inquiry& in_time, cache::namespace_state& ns) {
  const auto ddl_seen = ns.ddl_count();
  const auto asked = data_thread::now();
  protocol::byte_buffer message;
  protocol::reply_view reply;
  if (!co_await in_time.ask(list_collections(ns, false), message, reply)) co_return false;
  auto kind = judge_collection(body_of(message));
  const bool refused = !reply.ok;
  if (refused) {
    if (!co_await in_time.ask(list_collections(ns, true), message, reply)) co_return false;
    const auto hello = protocol::bson_view::parse(s.thread().upstream->hello);
    kind = judge_name(body_of(message), hello.value_or(protocol::bson_view()));
    // That it is not listed to this client says nothing to the others.
    if (!reply.ok || kind == cacheability::missing) {
      s.identity().kind_withheld(ns, asked + soon);
      co_return true;
    }
  }
  const bool settled = kind == cacheability::plain || (kind == cacheability::not_cacheable && !refused);
  const auto lifetime = settled ? s.thread().find_namespace(ns.db(), ns.collection())->settings->ttl : soon;
  ns.set_cacheability(kind, asked + lifetime, ddl_seen);
  s.shared().log.debug("cache", "collection looked at", {{"namespace", ns.name()}, {"verdict", name_of(kind)}});
  co_return true;
}

// S2: a server without the command has no default set.
default_level level_told(protocol::bson_view reply) noexcept {
  const auto concern = reply.find("defaultReadConcern");
  const auto document = concern ? concern->document() : std::nullopt;
  const auto given = document ? document->find("level") : std::nullopt;
  if (!given || given->text() == "local") return default_level::local;
  return given->text() == "majority" ? default_level::majority : default_level::other;
}

// One that refuses to tell this client may have any, and tell others.
task<bool> ask_default_level(session& s, inquiry& in_time) {
  const auto asked = data_thread::now();
  const auto changes = s.shared().default_changes.load();
  protocol::byte_buffer message;
  protocol::reply_view reply;
  if (!co_await in_time.ask(on_admin("getDefaultRWConcern"), message, reply)) co_return false;
  auto level = default_level::untold;
  if (reply.code == static_cast<std::int32_t>(protocol::error_code::command_not_found)) {
    level = default_level::local;
  } else if (reply.ok) {
    level = level_told(body_of(message));
  }
  const auto lifetime = level == default_level::untold ? soon : s.thread().settings->cache.ttl;
  auto& shared = s.shared();
  const auto overtaken = [&] { return shared.default_changes_begun != 0 || shared.default_changes != changes; };
  if (overtaken()) co_return true;
  shared.default_read_level.store(level);
  shared.default_read_level_until.store((asked + lifetime).count());
  if (overtaken()) shared.default_read_level_until.store(0);
  co_return true;
}

task<bool> ask_status(session& s, inquiry& in_time) {
  protocol::byte_buffer message;
  protocol::reply_view reply;
  if (!co_await in_time.ask(on_admin("connectionStatus"), message, reply)) co_return false;
  const auto info = body_of(message).find("authInfo");
  if (reply.ok && info && info->document()) {
    s.identity().status(protocol::as_text(info->value));
  } else {
    s.identity().status_unknown();
  }
  co_return true;
}

}  // namespace

protocol::byte_buffer on_admin(std::string_view name) {
  protocol::byte_buffer out;
  bson_builder command(out);
  command.append_int32(name, 1);
  command.append_string("$db", "admin");
  command.finish();
  return out;
}

// Without its options look-ups by _id are safe, but of a collection only: of a view the stream tells nothing. Nor does
// it before 5.0 of what a capped collection drops.
cacheability judge_name(protocol::bson_view reply, protocol::bson_view hello) noexcept {
  constexpr std::int64_t wire_version_5_0 = 13;
  const auto kind = kind_listed(reply);
  if (kind != cacheability::plain) return kind;
  const auto version = hello.find("maxWireVersion");
  const bool tells = version && version->integer().value_or(0) >= wire_version_5_0;
  return tells ? cacheability::ids_only : cacheability::not_cacheable;
}

cacheability judge_collection(protocol::bson_view reply) noexcept {
  protocol::bson_view entry;
  if (const auto kind = kind_listed(reply, &entry); kind != cacheability::plain) return kind;
  const auto options = entry.find("options");
  if (!options) return cacheability::plain;
  if (!options->document()) return cacheability::not_cacheable;
  protocol::bson_element option;
  protocol::bson_cursor cursor(*options->document());
  while (cursor.next(option)) {
    if (!is_harmless_option(option.name)) return cacheability::not_cacheable;
  }
  return cursor.failed() ? cacheability::not_cacheable : cacheability::plain;
}

namespace {

task<exchange> learn(session& s, cache::namespace_state& ns, const request& r, bool kind_missing, bool level_missing,
                     bool status_missing) {
  const auto until = selection_deadline(r);
  // What the other one did not find out is not asked again by everybody: the request is forwarded then.
  if (kind_missing && co_await waited_for_other(s, &ns)) kind_missing = false;
  if (level_missing && co_await waited_for_other(s, nullptr)) level_missing = false;
  if (!s.is_open()) co_return exchange::client_lost;
  if (!kind_missing && !level_missing && !status_missing) co_return exchange::ok;
  std::optional<probe> kind;
  std::optional<probe> level;
  if (kind_missing) kind.emplace(s.thread(), &ns);
  if (level_missing) level.emplace(s.thread(), nullptr);
  if (co_await s.upstream(until) == nullptr) {
    co_return s.is_open() ? exchange::no_upstream : exchange::client_lost;
  }
  inquiry in_time(s, r);
  if (status_missing && !co_await ask_status(s, in_time)) {
    if (in_time.is_unanswered()) s.identity().status_withheld(data_thread::now() + soon);
    co_return in_time.outcome();
  }
  if (kind_missing) {
    if (!co_await ask_kind(s, in_time, ns)) {
      if (in_time.is_unanswered()) kind->leave_alone();
      co_return in_time.outcome();
    }
    kind.reset();
  }
  if (level_missing && !co_await ask_default_level(s, in_time)) {
    if (in_time.is_unanswered()) level->leave_alone();
    co_return in_time.outcome();
  }
  co_return exchange::ok;
}

}  // namespace

prompt<exchange> learn_what_is_needed(session& s, cache::namespace_state& ns, const request& r) {
  const auto now = data_thread::now();
  const bool kind_missing = ns.may_cache(now) == cacheability::unknown && !s.identity().is_kind_withheld(ns, now);
  const bool level_missing = now.count() >= s.shared().default_read_level_until.load();
  const bool status_missing = s.identity().wants_status(now);
  if (!kind_missing && !level_missing && !status_missing) return exchange::ok;
  return learn(s, ns, r, kind_missing, level_missing, status_missing);
}

}  // namespace mongocached::daemon
