#include "config/keys.hpp"

#include <algorithm>
#include <array>

#include "config/binding.hpp"
#include "config/specs.hpp"

namespace mongocached::config {
namespace {

using namespace specs;

constexpr std::array section_table{
    section_info{"listen", "Where clients connect."},
    section_info{"upstream", "The MongoDB cluster behind."},
    section_info{"redis", "The cache that several mongocached share."},
    section_info{"http", "The side port: metrics, health, status, invalidation by hand."},
    section_info{"cache", "What is kept, and for how long."},
    section_info{"log", "What is written to standard error."},
    section_info{
        "collection",
        "Exceptions for some namespaces; any number of these. The most specific `namespace` counts alone: an exact "
        "name before a longer beginning before a shorter one.",
        true},
    section_info{"user",
                 "Who may connect when upstream.auth is \"pooled\", and who is an administrator; any number of these.",
                 true},
};

template <auto Section, auto Member>
constexpr key bound(key k) {
  k.assign = detail::assign<Section, Member>;
  k.get = detail::get<Section, Member>;
  return k;
}

template <auto Member>
constexpr key listen(key k) {
  k.section = "listen";
  return bound<&settings::listen, Member>(k);
}
template <auto Member>
constexpr key upstream(key k) {
  k.section = "upstream";
  return bound<&settings::upstream, Member>(k);
}
template <auto Member>
constexpr key redis(key k) {
  k.section = "redis";
  return bound<&settings::redis, Member>(k);
}
template <auto Member>
constexpr key http(key k) {
  k.section = "http";
  return bound<&settings::http, Member>(k);
}
template <auto Member>
constexpr key cache(key k) {
  k.section = "cache";
  return bound<&settings::cache, Member>(k);
}
template <auto Member>
constexpr key log(key k) {
  k.section = "log";
  return bound<&settings::log, Member>(k);
}

const std::array key_table{
    listen<&listen_settings::address>({.name = "address",
                                       .spec = plain(value_kind::listen_endpoint),
                                       .meaning = "Where to listen for MongoDB clients.",
                                       .zero = "Port 0: any free port",
                                       .flag = "--listen",
                                       .flag_value = "HOST:PORT",
                                       .renewed = renewal::at_restart}),
    listen<&listen_settings::threads>({.name = "threads",
                                       .spec = integer(0, 1024),
                                       .meaning = "Threads that serve clients.",
                                       .zero = "0: one a core",
                                       .flag = "--threads",
                                       .flag_value = "N",
                                       .renewed = renewal::at_restart}),
    listen<&listen_settings::max_connections>({.name = "max_connections",
                                               .spec = integer(1, 10'000'000),
                                               .meaning = "Clients connected at a time; one more is refused.",
                                               .renewed = renewal::at_restart}),
    listen<&listen_settings::max_in_flight>(
        {.name = "max_in_flight",
         .spec = integer(1, 10'000'000),
         .meaning =
             "Requests that wait for Redis or the upstream at a time, at most one a client; one more is answered "
             "with a retryable error. What is in memory is answered all the same."}),
    listen<&listen_settings::max_buffered>(
        {.name = "max_buffered",
         .spec = bytes(1 * mib, 16 * tib),
         .meaning = "Bytes held for clients at a time: requests, replies, what slow readers have not taken. Beyond it "
                    "requests above 4 KiB wait for room and replies stream by, unfilled."}),
    listen<&listen_settings::buffer_timeout>(
        {.name = "buffer_timeout",
         .spec = time(0, 10 * minute),
         .meaning = "How long a request may wait for room in max_buffered before it is answered with a retryable "
                    "error.",
         .zero = "0s: not at all"}),
    listen<&listen_settings::tls_cert>({.name = "tls_cert",
                                        .spec = plain(value_kind::path),
                                        .meaning = "Certificate chain (PEM) to serve TLS with; needs tls_key.",
                                        .zero = "\"\": no TLS",
                                        .renewed = renewal::unless_set_or_unset}),
    listen<&listen_settings::tls_key>({.name = "tls_key",
                                       .spec = plain(value_kind::path),
                                       .meaning = "Private key (PEM) of tls_cert.",
                                       .renewed = renewal::unless_set_or_unset}),
    listen<&listen_settings::tls_client_ca>(
        {.name = "tls_client_ca",
         .spec = plain(value_kind::path),
         .meaning = "Authorities (PEM) that a client's certificate must come from; needs tls_cert.",
         .zero = "\"\": no certificate is asked for"}),
    listen<&listen_settings::unix_socket>({.name = "unix_socket",
                                           .spec = plain(value_kind::socket_path),
                                           .meaning = "A Unix socket to listen on as well.",
                                           .zero = "\"\": none",
                                           .renewed = renewal::at_restart}),
    listen<&listen_settings::drain_timeout>(
        {.name = "drain_timeout",
         .spec = time(0, 1 * hour),
         .meaning = "How long requests in flight may take to finish after SIGTERM or SIGINT.",
         .zero = "0s: close at once"}),
    listen<&listen_settings::pose>(
        {.name = "pose",
         .spec = one_of(poses),
         .meaning =
             "What clients take mongocached for. \"replica_set\" serves clients whose URI insists on replicaSet; "
             "needs advertise. Of that set drivers see the primary only: the read preference secondary finds no "
             "member, secondaryPreferred and nearest work.",
         .renewed = renewal::at_restart}),
    listen<&listen_settings::advertise>(
        {.name = "advertise",
         .spec = plain(value_kind::public_endpoint_or_none),
         .meaning = "The address by which clients reach mongocached, told to them with pose \"replica_set\".",
         .renewed = renewal::at_restart}),
    listen<&listen_settings::allow_unauthenticated>(
        {.name = "allow_unauthenticated",
         .spec = plain(value_kind::boolean),
         .meaning = "With auth \"pooled\": whether clients that have not logged in are served, with all rights of the "
                    "user in upstream.uri, wherever they come from.",
         .zero = "With false: only from this machine, and only while there is no [[user]]"}),

    upstream<&upstream_settings::uri>(
        {.name = "uri",
         .spec = plain(value_kind::upstream_uri),
         .meaning = "The cluster to serve. Must be given. A user in it is the proxy's own: topology and change stream, "
                    "with auth \"pooled\" all traffic. If the cluster asks for logins, modes bounded and strict need "
                    "one who may read change streams. With compressors=zstd,snappy,zlib in it, what goes to and from "
                    "servers that know one of them is compressed.",
         .flag = "--upstream",
         .flag_value = "URI",
         .example = "\"mongodb://db1.example:27017,db2.example:27017/?replicaSet=rs0\"",
         .renewed = renewal::at_restart}),
    upstream<&upstream_settings::connect_timeout>({.name = "connect_timeout",
                                                   .spec = time(1 * ms, 5 * minute),
                                                   .meaning = "How long a connection to a server may take to stand.",
                                                   .renewed = renewal::at_restart}),
    upstream<&upstream_settings::auth>(
        {.name = "auth",
         .spec = one_of(auths),
         .meaning =
             "\"passthrough\": a client's traffic runs under the client's own credentials, on a connection of its "
             "own. \"pooled\": clients log in to mongocached as a [[user]] and share connections and rights of "
             "the user in uri.",
         .renewed = renewal::at_restart}),
    upstream<&upstream_settings::pool_size>({.name = "pool_size",
                                             .spec = integer(1, 100'000),
                                             .meaning = "Connections a server, with auth \"pooled\".",
                                             .renewed = renewal::at_restart}),
    upstream<&upstream_settings::authz_ttl>(
        {.name = "authz_ttl",
         .spec = time(1 * ms, 1 * day),
         .meaning =
             "How long the upstream's word that a user may read a namespace lets that user read it from the cache.",
         .renewed = renewal::at_restart}),

    redis<&redis_settings::uri>({.name = "uri",
                                 .spec = plain(value_kind::redis_uri),
                                 .meaning = "The shared cache, such as \"redis://user:password@redis.example:6379/0\"; "
                                            "rediss:// for TLS.",
                                 .zero = "\"none\": no shared cache",
                                 .flag = "--redis",
                                 .flag_value = "URI|none",
                                 .renewed = renewal::at_restart}),
    redis<&redis_settings::tls_ca>(
        {.name = "tls_ca",
         .spec = plain(value_kind::path),
         .meaning = "Authorities (PEM) that Redis's certificate must come from; needs a uri with rediss://.",
         .zero = "\"\": those that the system trusts",
         .renewed = renewal::at_restart}),
    redis<&redis_settings::timeout>(
        {.name = "timeout",
         .spec = time(1 * ms, 10 * s),
         .meaning = "How long Redis may take for an answer; after that the request goes on without it.",
         .renewed = renewal::at_restart}),
    redis<&redis_settings::key_prefix>({.name = "key_prefix",
                                        .spec = {value_kind::word, 0, 64},
                                        .meaning =
                                            "What all our keys in Redis begin with. Daemons share what lies there if "
                                            "this is the same in all of them, upstream.uri names the same hosts, "
                                            "spelt alike, and its user is told the same UUID of the collection "
                                            "system.version in database admin (listCollections). Where a cluster "
                                            "tells none, different clusters that are reached by the same names "
                                            "need a prefix of their own each.",
                                        .renewed = renewal::at_restart}),

    http<&http_settings::address>({.name = "address",
                                   .spec = plain(value_kind::listen_endpoint_or_none),
                                   .meaning = "Where to listen for HTTP. Away from loopback and without a token only "
                                              "GET /metrics, /healthz and /readyz answer.",
                                   .zero = "\"none\": no side port",
                                   .flag = "--http",
                                   .flag_value = "HOST:PORT|none",
                                   .renewed = renewal::at_restart}),
    http<&http_settings::token>(
        {.name = "token",
         .spec = plain(value_kind::token),
         .meaning = "What paths that change something want as Authorization: Bearer. Better in a file: token_file.",
         .zero = "\"\": no token",
         .file_name = "token_file"}),

    cache<&cache_settings::enabled>({.name = "enabled",
                                     .spec = plain(value_kind::boolean),
                                     .meaning = "Whether anything is cached.",
                                     .zero = "With false: relay only"}),
    cache<&cache_settings::memory>({.name = "memory",
                                    .spec = memory_spec,
                                    .meaning = "Size of the cache in this process.",
                                    .zero = "0: none, only the shared one",
                                    .renewed = renewal::at_restart}),
    cache<&cache_settings::max_entry>(
        {.name = "max_entry", .spec = max_entry_spec, .meaning = "A bigger document or result is not cached."}),
    cache<&cache_settings::ttl>(
        {.name = "ttl",
         .spec = ttl_spec,
         .meaning = "An entry expires this long after it was read, however fresh it is known to be."}),
    cache<&cache_settings::negative_ttl>({.name = "negative_ttl",
                                          .spec = negative_ttl_spec,
                                          .meaning = "How long it is remembered that a document is not there.",
                                          .zero = "0s: not at all"}),
    cache<&cache_settings::mode>(
        {.name = "mode",
         .spec = one_of(modes),
         .meaning =
             "\"bounded\": no answer misses a write older than max_lag. \"strict\": each hit is checked in Redis, so "
             "no acknowledged write through any mongocached is missed; finds by _id only; needs redis.uri. \"ttl\": "
             "without change stream; writes "
             "from elsewhere are seen after ttl."}),
    cache<&cache_settings::max_lag>(
        {.name = "max_lag",
         .spec = max_lag_spec,
         .meaning = "How far behind the upstream the cache may be; when it cannot tell, requests pass through."}),
    cache<&cache_settings::serve_stale_on_error>(
        {.name = "serve_stale_on_error",
         .spec = stale_spec,
         .meaning =
             "With no upstream server to be reached, how much longer than max_lag and authz_ttl allow this process "
             "goes "
             "on answering from its memory; not in mode strict, and not to clients that logged in to the upstream.",
         .zero = "0s: never"}),
    cache<&cache_settings::verify_share>(
        {.name = "verify_share",
         .spec = plain(value_kind::share),
         .meaning = "Share of the hits that is compared with the upstream's answer, for mongocached_verified_total.",
         .zero = "0: none"}),

    log<&log_settings::level>({.name = "level",
                               .spec = one_of(levels),
                               .meaning = "The least important messages that are written.",
                               .flag = "--log-level",
                               .flag_value = "trace|debug|info|warn|error"}),
    log<&log_settings::format>({.name = "format",
                                .spec = one_of(formats),
                                .meaning = "Lines for people or one JSON object a line.",
                                .renewed = renewal::at_restart}),
    log<&log_settings::slow>(
        {.name = "slow",
         .spec = time(0, 1 * hour),
         .meaning =
             "A request that takes longer is logged, without its values; a getMore that awaits something is not.",
         .zero = "0s: none is"}),
};

}  // namespace

std::span<const section_info> sections() {
  return section_table;
}
std::span<const key> keys() {
  return key_table;
}
std::string full_name(const key& k) {
  return std::string{k.section} + "." + std::string{k.name};
}

std::string environment_name(const key& k) {
  std::string out = "MONGOCACHED_" + std::string{k.section} + "_" + std::string{k.name};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

}  // namespace mongocached::config
