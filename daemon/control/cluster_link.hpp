// Commands to the cluster under the proxy's own user, by libmongoc's blocking calls. For .cpp files of this folder
// only: libmongoc's types stay out of every header that others use.
//
// A cluster_source owns the pool, made at the first use because a look-up of SRV records may block and fail; each
// thread has a cluster_link of its own.
#pragma once

#include <mongoc/mongoc.h>

#include <memory>
#include <mutex>
#include <string>

#include "daemon/control/cluster_watch.hpp"

namespace mongocached::daemon {

struct link_error {
  bool from_server = false;     // an answer {ok: 0}; else the network, or no server to ask
  bool authentication = false;  // the user was refused
  std::int32_t code = 0;        // of the server's answer
  std::string text;             // without a password
};

class link_reply {
 public:
  link_reply() { bson_init(&document_); }
  ~link_reply() { bson_destroy(&document_); }
  link_reply(const link_reply&) = delete;
  link_reply& operator=(const link_reply&) = delete;

  [[nodiscard]] protocol::byte_view bytes() const { return {bson_get_data(&document_), document_.len}; }
  // To be filled by one of libmongoc's calls.
  bson_t* fresh() {
    bson_destroy(&document_);
    bson_init(&document_);
    return &document_;
  }

 private:
  bson_t document_{};
};

class cluster_source {
 public:
  using pool_ptr = std::shared_ptr<mongoc_client_pool_t>;

  cluster_source(const upstream_uri& uri, const watch_options& options) : uri_(uri), options_(options) {}

  // Any thread. Null and a reason where there can be none now.
  pool_ptr pool(std::string& why);
  // `old` has no server any more, which is final for a pool: the next call of pool() makes another.
  void discard(const pool_ptr& old);
  // The same of any, at a thread's end: then the last link's release() ends the pool.
  void discard();

 private:
  const upstream_uri uri_;
  const watch_options options_;
  std::mutex guard_;
  pool_ptr pool_;
};

class cluster_link {
 public:
  explicit cluster_link(cluster_source& source) : source_(source) {}
  ~cluster_link() { release(); }
  cluster_link(const cluster_link&) = delete;
  cluster_link& operator=(const cluster_link&) = delete;

  // Chooses the server that takes writes for the commands that follow; blocks for about a second at most where there is
  // none.
  bool select(link_error& error);
  [[nodiscard]] bool selected_mongos() const { return mongos_; }
  [[nodiscard]] const std::string& selected_address() const { return address_; }

  // A session for the commands that follow, without causal consistency. Ends at the next select() or end_session().
  bool start_session(link_error& error);
  void end_session();

  // Runs `command` on the chosen server. A reply that says ok: 0 is an error.
  bool run(const protocol::byte_buffer& command, link_reply& reply, link_error& error, const std::string& db = "admin");

  // Gives the connection back. Ending the pool waits for libmongoc's monitors, which may hang.
  void release();

 private:
  bool connect(link_error& error);

  cluster_source& source_;
  cluster_source::pool_ptr pool_;
  mongoc_client_t* client_ = nullptr;
  mongoc_client_session_t* session_ = nullptr;
  std::uint32_t server_ = 0;
  bool mongos_ = false;
  std::string address_;  // host_and_port()
  unsigned failures_ = 0;
};

}  // namespace mongocached::daemon
