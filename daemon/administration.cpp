#include "daemon/administration.hpp"

#include <boost/asio/post.hpp>
#include <future>

#include "protocol/extended_json.hpp"

namespace mongocached::daemon {
namespace {

constexpr auto longest_wait = std::chrono::seconds(2);

struct namespace_name {
  std::string_view db;
  std::string_view collection;
};

std::optional<namespace_name> parse_namespace(std::string_view ns) {
  const auto dot = ns.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const namespace_name name{ns.substr(0, dot), ns.substr(dot + 1)};
  if (!cache::is_valid_namespace(name.db, name.collection)) return std::nullopt;
  return name;
}

}  // namespace

bool administration::tell_redis(cache::invalidation what) {
  auto promise = std::make_shared<std::promise<bool>>();
  auto answer = promise->get_future();
  asio::post(thread_.context(), [this, promise, what = std::move(what)]() mutable {
    if (thread_.store == nullptr) return promise->set_value(false);
    thread_.store->invalidate(std::move(what), [promise](cache::store_status status) {
      promise->set_value(status == cache::store_status::ok);
    });
  });
  return answer.wait_for(longest_wait) == std::future_status::ready && answer.get();
}

void administration::drop(cache::invalidation what) {
  asio::post(thread_.context(), [this, what = std::move(what)]() mutable {
    if (thread_.store) thread_.store->invalidate(std::move(what), [](cache::store_status) {});
  });
}

void administration::count() {
  asio::post(thread_.context(),
             [this] { thread_.metrics.invalidations[static_cast<std::size_t>(invalidation_source::admin)].add(); });
}

invalidate_answer administration::invalidate(const invalidate_request& request) {
  invalidate_answer answer;
  const auto name = parse_namespace(request.ns);
  if (!name) {
    answer.error = "ns must be a database and a collection: db.collection";
    return answer;
  }
  cache::invalidation what;
  what.ns = request.ns;
  auto* state = shared_.coherence.namespaces().find(request.ns);
  if (request.id_json) {
    const auto document = protocol::id_document_from_json(*request.id_json, answer.error);
    if (!document) return answer;
    const auto id = protocol::bson_view::parse(*document)->find("_id");
    cache::begin_key(what.key_bytes, cache::key_kind::document, name->db, name->collection);
    if (!id || !cache::append_canonical_id(what.key_bytes, *id)) {
      answer.error = "an _id of this type is never cached";
      return answer;
    }
    what.keys.emplace_back(0, what.key_bytes.size());
    what.fence = shared_.coherence.newest_operation_time();
    const cache::key_view key{what.key_bytes, cache::hash_key(what.key_bytes)};
    answer.entries = shared_.coherence.void_document(state, key, what.fence);
  } else {
    what.documents = true;
    if (state != nullptr) answer.entries = shared_.coherence.void_namespace(*state);
  }
  count();
  answer.redis = tell_redis(std::move(what));
  return answer;
}

invalidate_answer administration::flush() {
  invalidate_answer answer;
  answer.entries = shared_.coherence.void_everything();
  count();
  cache::invalidation what;
  what.everything = true;
  answer.redis = tell_redis(std::move(what));
  return answer;
}

}  // namespace mongocached::daemon
