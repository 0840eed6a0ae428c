#include "daemon/control/cluster_link.hpp"

#include "daemon/control/topology_choice.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "daemon/control/driver_log_capture.hpp"

namespace mongocached::daemon {
namespace {

using uri_ptr = std::unique_ptr<mongoc_uri_t, decltype(&mongoc_uri_destroy)>;

constexpr std::int32_t selection_timeout_ms = 1000;
constexpr std::int32_t silence_timeout_ms = 10'000;  // above any await time, which a reload may change
// An awaitable hello is answered at least this often, so that a change which a server forgets to tell is seen.
constexpr std::int32_t heartbeat_ms = 1000;
constexpr unsigned failures_to_discard = 10;

std::int32_t milliseconds_of(std::chrono::milliseconds time) {
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(time.count(), 0, std::numeric_limits<std::int32_t>::max() / 2));
}

void set_default(mongoc_uri_t* uri, const char* option, std::int32_t value) {
  if (!mongoc_uri_has_option(uri, option)) mongoc_uri_set_option_as_int32(uri, option, value);
}

uri_ptr watching_uri(const upstream_uri& from, const watch_options& options) {
  uri_ptr uri(nullptr, &mongoc_uri_destroy);
  {
    const driver_log_capture already_said;  // upstream_uri::warnings
    uri.reset(mongoc_uri_new(from.text.reveal().c_str()));
  }
  if (!uri) return uri;
  mongoc_uri_set_appname(uri.get(), "mongocached");
  set_default(uri.get(), MONGOC_URI_CONNECTTIMEOUTMS, milliseconds_of(options.connect_timeout));
  set_default(uri.get(), MONGOC_URI_HEARTBEATFREQUENCYMS, heartbeat_ms);
  // See topology_source.cpp: the set behind a single seed is discovered.
  if (!mongoc_uri_has_option(uri.get(), MONGOC_URI_DIRECTCONNECTION)) {
    mongoc_uri_set_option_as_bool(uri.get(), MONGOC_URI_DIRECTCONNECTION, false);
  }
  mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_MAXPOOLSIZE, 2);  // a client a thread; fewer would block one
  mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS, selection_timeout_ms);
  mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS,
                                 silence_timeout_ms + milliseconds_of(options.await));
  return uri;
}

void describe(const bson_error_t& from, link_error& error) {
  error = {};
  error.from_server = from.domain == MONGOC_ERROR_SERVER || from.domain == MONGOC_ERROR_WRITE_CONCERN;
  error.authentication = from.domain == MONGOC_ERROR_CLIENT && from.code == MONGOC_ERROR_CLIENT_AUTHENTICATE;
  error.code = error.from_server ? static_cast<std::int32_t>(from.code) : 0;
  error.text = config::mask_text(std::string_view(from.message, ::strnlen(from.message, sizeof from.message)));
}

}  // namespace

cluster_source::pool_ptr cluster_source::pool(std::string& why) {
  const std::lock_guard lock(guard_);
  if (pool_) return pool_;
  const uri_ptr uri = watching_uri(uri_, options_);
  if (!uri) {
    why = "the URI of the upstream cannot be used";
    return nullptr;
  }
  bson_error_t error{};
  mongoc_client_pool_t* const made = mongoc_client_pool_new_with_error(uri.get(), &error);
  if (made == nullptr) {
    why = config::mask_text(error.message);
    return nullptr;
  }
  mongoc_client_pool_set_error_api(made, MONGOC_ERROR_API_VERSION_2);
  pool_ = pool_ptr(made, &mongoc_client_pool_destroy);
  return pool_;
}

void cluster_source::discard(const pool_ptr& old) {
  const std::lock_guard lock(guard_);
  if (pool_ == old) pool_.reset();
}

void cluster_source::discard() {
  pool_ptr ending;  // outside the lock
  const std::lock_guard lock(guard_);
  ending.swap(pool_);
}

bool cluster_link::connect(link_error& error) {
  std::string why;
  auto newest = source_.pool(why);
  if (!newest) {
    error = {};
    error.text = why;
    return false;
  }
  if (newest == pool_) return true;
  release();
  pool_ = std::move(newest);
  client_ = mongoc_client_pool_pop(pool_.get());
  if (!mongoc_uri_get_option_as_bool(mongoc_client_get_uri(client_), MONGOC_URI_LOADBALANCED, false)) return true;
  // By a TXT record, which may be mended: the next pool reads it again.
  const auto refused = pool_;
  release();
  source_.discard(refused);
  error = {};
  error.text = "loadBalanced=true is not supported";
  return false;
}

void cluster_link::release() {
  end_session();
  if (client_ != nullptr) mongoc_client_pool_push(pool_.get(), client_);
  client_ = nullptr;
  pool_.reset();
}

bool cluster_link::select(link_error& error) {
  end_session();
  if (!connect(error)) return false;
  bson_error_t why{};
  mongoc_server_description_t* const server = mongoc_client_select_server(client_, true, nullptr, &why);
  if (server == nullptr) {
    describe(why, error);
    if (++failures_ >= failures_to_discard) {
      failures_ = 0;
      source_.discard(pool_);
    }
    return false;
  }
  failures_ = 0;
  server_ = mongoc_server_description_id(server);
  mongos_ = std::strcmp(mongoc_server_description_type(server), "Mongos") == 0;
  const mongoc_host_list_t* const host = mongoc_server_description_host(server);
  address_ = host_and_port(host->host, host->port);
  mongoc_server_description_destroy(server);
  return true;
}

bool cluster_link::start_session(link_error& error) {
  end_session();
  mongoc_session_opt_t* const options = mongoc_session_opts_new();
  mongoc_session_opts_set_causal_consistency(options, false);
  bson_error_t why{};
  session_ = mongoc_client_start_session(client_, options, &why);
  mongoc_session_opts_destroy(options);
  if (session_ == nullptr) describe(why, error);
  return session_ != nullptr;
}

void cluster_link::end_session() {
  if (session_ != nullptr) mongoc_client_session_destroy(session_);
  session_ = nullptr;
}

bool cluster_link::run(const protocol::byte_buffer& command, link_reply& reply, link_error& error,
                       const std::string& db) {
  bson_t request{};
  if (!bson_init_static(&request, command.data(), command.size())) {
    error = {};
    error.text = "the command is malformed";
    return false;
  }
  bson_error_t why{};
  bson_t options = BSON_INITIALIZER;
  BSON_APPEND_INT32(&options, "serverId", static_cast<std::int32_t>(server_));
  bool done = session_ == nullptr || mongoc_client_session_append(session_, &options, &why);
  if (done) {
    bson_t* const answer = reply.fresh();
    bson_destroy(answer);  // initialized by the call, whatever comes
    done = mongoc_client_command_with_opts(client_, db.c_str(), &request, nullptr, &options, answer, &why);
  }
  bson_destroy(&options);
  if (!done) describe(why, error);
  return done;
}

}  // namespace mongocached::daemon
