#include "daemon/control/topology_source.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "daemon/control/driver_log_capture.hpp"
#include "daemon/control/stream_commands.hpp"

namespace mongocached::daemon {
namespace {

server_type type_of(std::string_view name) {
  struct pair {
    std::string_view name;
    server_type type;
  };
  constexpr std::array types{pair{"Standalone", server_type::standalone}, pair{"Mongos", server_type::mongos},
                             pair{"RSPrimary", server_type::primary},     pair{"RSSecondary", server_type::secondary},
                             pair{"RSArbiter", server_type::arbiter},     pair{"RSOther", server_type::other},
                             pair{"RSGhost", server_type::other}};
  const auto* const found = std::find_if(types.begin(), types.end(), [&](const pair& p) { return p.name == name; });
  return found == types.end() ? server_type::unknown : found->type;
}

std::string address_of(const mongoc_host_list_t* host) {
  return host_and_port(host->host, host->port);
}

last_write last_write_in(const bson_t& reply) {
  const auto hello = protocol::bson_view::parse({bson_get_data(&reply), reply.len});
  if (!hello) return {};
  last_write out;
  const auto told = hello->find("lastWrite");
  const auto document = told ? told->object() : std::nullopt;
  const auto date = document ? document->find("lastWriteDate") : std::nullopt;
  if (date && date->is(protocol::bson_type::date)) out.date_ms = protocol::load_le<std::int64_t>(date->value.data());
  out.majority = majority_of(*hello);
  return out;
}

topology_listener& listener_of(void* context) {
  return *static_cast<topology_listener*>(context);
}

extern "C" {

void mongocached_on_topology_changed(const mongoc_apm_topology_changed_t* event) {
  std::vector<upstream_server> servers;
  std::size_t count = 0;
  mongoc_server_description_t** const descriptions =
      mongoc_topology_description_get_servers(mongoc_apm_topology_changed_get_new_description(event), &count);
  for (std::size_t i = 0; i < count; ++i) {
    upstream_server server;
    const mongoc_host_list_t* const host = mongoc_server_description_host(descriptions[i]);
    server.host = host->host;
    server.port = host->port;
    server.type = type_of(mongoc_server_description_type(descriptions[i]));
    server.round_trip_ms = mongoc_server_description_round_trip_time(descriptions[i]);
    if (server.type != server_type::unknown) {
      const bson_t* const hello = mongoc_server_description_hello_response(descriptions[i]);
      server.hello.assign(bson_get_data(hello), bson_get_data(hello) + hello->len);
    }
    servers.push_back(std::move(server));
  }
  mongoc_server_descriptions_destroy_all(descriptions, count);
  listener_of(mongoc_apm_topology_changed_get_context(event)).on_servers(std::move(servers));
}

void mongocached_on_server_opening(const mongoc_apm_server_opening_t* event) {
  const mongoc_host_list_t* const host = mongoc_apm_server_opening_get_host(event);
  listener_of(mongoc_apm_server_opening_get_context(event)).on_server_opened(host->host, host->port);
}

void mongocached_on_server_closed(const mongoc_apm_server_closed_t* event) {
  const mongoc_host_list_t* const host = mongoc_apm_server_closed_get_host(event);
  listener_of(mongoc_apm_server_closed_get_context(event)).on_server_closed(host->host, host->port);
}

void mongocached_on_heartbeat_failed(const mongoc_apm_server_heartbeat_failed_t* event) {
  bson_error_t error{};
  mongoc_apm_server_heartbeat_failed_get_error(event, &error);
  listener_of(mongoc_apm_server_heartbeat_failed_get_context(event))
      .on_check_failed(address_of(mongoc_apm_server_heartbeat_failed_get_host(event)), error.message);
}

void mongocached_on_heartbeat_succeeded(const mongoc_apm_server_heartbeat_succeeded_t* event) {
  listener_of(mongoc_apm_server_heartbeat_succeeded_get_context(event))
      .on_check_succeeded(address_of(mongoc_apm_server_heartbeat_succeeded_get_host(event)),
                          last_write_in(*mongoc_apm_server_heartbeat_succeeded_get_reply(event)));
}

}  // extern "C"

void set_defaults(mongoc_uri_t* uri, std::chrono::milliseconds connect_timeout) {
  mongoc_uri_set_appname(uri, "mongocached");
  if (!mongoc_uri_has_option(uri, MONGOC_URI_CONNECTTIMEOUTMS)) {
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS,
                                   static_cast<std::int32_t>(connect_timeout.count()));
  }
  // libmongoc takes a single seed without replicaSet for a direct connection unless it is told otherwise; drivers by
  // the specification discover the set behind it, and so do we: clients must reach the primary.
  if (!mongoc_uri_has_option(uri, MONGOC_URI_DIRECTCONNECTION)) {
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_DIRECTCONNECTION, false);
  }
  // How long one mongoc_client_select_server may block the control thread; each call also wakes monitors that sleep.
  mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 200);
}

bool only_for_srv(std::string_view option) {
  std::string name(option.substr(0, option.find('=')));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.rfind("srv", 0) == 0;
}

class scan_listener final : public topology_listener {
 public:
  scan_listener(topology_observation start, std::function<void(const topology_observation&)> on_view)
      : seen_(std::move(start)), on_view_(std::move(on_view)) {}

  void on_server_opened(const std::string& host, std::uint16_t port) override { seen_.open(host, port); }
  void on_server_closed(const std::string& host, std::uint16_t port) override { seen_.close(host, port); }
  void on_servers(std::vector<upstream_server> answering) override {
    seen_.update(std::move(answering));
    on_view_(seen_);
  }
  void on_check_failed(const std::string& address, const std::string& why) override { seen_.errors[address] = why; }
  void on_check_succeeded(const std::string& address, const last_write& /*told*/) override {
    seen_.errors.erase(address);
  }

  [[nodiscard]] const topology_observation& seen() const noexcept { return seen_; }

 private:
  topology_observation seen_;
  std::function<void(const topology_observation&)> on_view_;
};

}  // namespace

mongoc_callbacks_ptr topology_callbacks() {
  mongoc_callbacks_ptr callbacks(mongoc_apm_callbacks_new(), &mongoc_apm_callbacks_destroy);
  mongoc_apm_set_server_opening_cb(callbacks.get(), &mongocached_on_server_opening);
  mongoc_apm_set_server_closed_cb(callbacks.get(), &mongocached_on_server_closed);
  mongoc_apm_set_topology_changed_cb(callbacks.get(), &mongocached_on_topology_changed);
  mongoc_apm_set_server_heartbeat_failed_cb(callbacks.get(), &mongocached_on_heartbeat_failed);
  mongoc_apm_set_server_heartbeat_succeeded_cb(callbacks.get(), &mongocached_on_heartbeat_succeeded);
  return callbacks;
}

mongoc_uri_ptr monitoring_uri(const upstream_uri& uri, std::chrono::milliseconds connect_timeout) {
  const driver_log_capture already_said;  // upstream_uri::warnings
  mongoc_uri_ptr out(mongoc_uri_new(uri.monitoring_text.c_str()), &mongoc_uri_destroy);
  if (out) set_defaults(out.get(), connect_timeout);
  return out;
}

mongoc_uri_ptr probe_uri(const upstream_uri& uri, const std::vector<upstream_server>& servers,
                         std::chrono::milliseconds connect_timeout) {
  std::string text = "mongodb://";
  for (const upstream_server& server : servers) {
    text += (&server == servers.data() ? "" : ",") + host_and_port(server.host, server.port);
  }
  text += uri.tls.enabled ? "/?tls=true" : "/?tls=false";  // mongodb+srv has it on by default
  const std::string_view given = uri.monitoring_text;
  std::string_view options = given.substr(std::min(given.find('?'), given.size() - 1) + 1);
  while (!options.empty()) {
    const std::size_t end = std::min(options.find('&'), options.size());
    const std::string_view option = options.substr(0, end);
    if (!option.empty() && !only_for_srv(option)) text += "&" + std::string(option);
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  mongoc_uri_ptr out(nullptr, &mongoc_uri_destroy);
  {
    const driver_log_capture already_said;  // upstream_uri::warnings
    out.reset(mongoc_uri_new(text.c_str()));
  }
  if (!out) return monitoring_uri(uri, connect_timeout);
  set_defaults(out.get(), connect_timeout);
  const std::int32_t most = 2000;  // a silent member must not delay the verdict on the others
  if (mongoc_uri_get_option_as_int32(out.get(), MONGOC_URI_CONNECTTIMEOUTMS, most) > most) {
    mongoc_uri_set_option_as_int32(out.get(), MONGOC_URI_CONNECTTIMEOUTMS, most);
  }
  return out;
}

std::string auth_source_in(const mongoc_uri_t* uri) {
  bson_iter_t source;
  const bool given = bson_iter_init_find_case(&source, mongoc_uri_get_credentials(uri), MONGOC_URI_AUTHSOURCE);
  return given && BSON_ITER_HOLDS_UTF8(&source) ? bson_iter_utf8(&source, nullptr) : "";
}

topology_observation scan_once(const mongoc_uri_ptr& uri, topology_observation start,
                               std::function<void(const topology_observation&)> on_view) {
  scan_listener listener(std::move(start), std::move(on_view));
  const mongoc_client_ptr client(mongoc_client_new_from_uri(uri.get()), &mongoc_client_destroy);
  if (!client) return listener.seen();
  const mongoc_callbacks_ptr callbacks = topology_callbacks();
  mongoc_client_set_apm_callbacks(client.get(), callbacks.get(), static_cast<topology_listener*>(&listener));
  bson_error_t ignored{};
  mongoc_server_description_destroy(mongoc_client_select_server(client.get(), true, nullptr, &ignored));
  topology_observation seen =
      listener.seen();  // destroying the client closes its servers, which the listener would note
  return seen;
}

}  // namespace mongocached::daemon
