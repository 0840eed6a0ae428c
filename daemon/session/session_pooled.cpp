// The session's side towards the upstream with upstream.auth = "pooled": a connection is borrowed for one request.
#include <boost/asio/ssl/context.hpp>

#include "daemon/session/session.hpp"

namespace mongocached::daemon {
namespace {

using grant = upstream_pools::pool::grant;

bool is_target(const upstream_snapshot& now, const server_address& server) {
  return now.available && now.host == server.host && now.port == server.port;
}

}  // namespace

void session::settings_changed() {
  if (!pooled_) return;
  pooled_->settle_identity();
  if (pooled_->is_revoked()) drain(disconnect::user_changed);
}

std::optional<server_address> session::choose_server_now() {
  const auto& now = *thread_.upstream;
  auto& client = *pooled_;
  if (client.pinned && (!client.pin_may_move || is_target(now, *client.pinned))) return client.pinned;
  if (!client.preference) {
    if (!now.available) return std::nullopt;
    return server_address{now.host, now.port};
  }
  return choose_server(now, *client.preference, [this](std::size_t) { return thread_.dice(); });
}

task<upstream_link*> session::borrow(cache::instant until) {
  auto& client = *pooled_;
  backoff pause = between_connects;
  while (open_) {
    if (client.link && client.link->is_open()) co_return client.link.get();  // had for this request before
    drop_upstream();
    const auto where = choose_server_now();
    client.lack = pooled_client::shortage::no_server;
    if (where) {
      client.at = *where;
      auto had = thread_.pools->of(*where).take();
      if (had.how == grant::kind::nothing) had = co_await wait_in_line(until);
      if (!open_) {
        keep(std::move(had));
        break;
      }
      if (had.how == grant::kind::nothing) {
        client.lack = pooled_client::shortage::no_connection;
        co_return nullptr;
      }
      client.link = std::move(had.link);
      if (had.how == grant::kind::connection) co_return taken();
      if (!shared().pool_login.may_try(data_thread::now())) {
        thread_.pools->of(client.at).gone();
        client.lack = pooled_client::shortage::no_login;
        co_return nullptr;
      }
      if (co_await open_pooled(until)) co_return taken();
      if (!open_) co_return nullptr;
      shared().request_topology_check();
      const bool refused = client.lack == pooled_client::shortage::no_login && shared().pool_login.is_refused();
      if (client.is_stuck() || refused) co_return nullptr;
    }
    const auto now = data_thread::now();
    if (now >= until) break;
    // Refused just now: not again at once, but as soon as something changed.
    co_await upstream_change(where ? std::min(until, now + pause.next(thread_.dice)) : until);
  }
  co_return nullptr;
}

upstream_link* session::taken() {
  auto& client = *pooled_;
  client.lack = pooled_client::shortage::none;
  if (!client.transaction.empty()) {
    shared().pins.transactions.put(client.id(), std::exchange(client.transaction, {}), client.at, data_thread::now());
  }
  return client.link.get();
}

task<grant> session::wait_in_line(cache::instant until) {
  auto& pool = thread_.pools->of(pooled_->at);
  grant none;
  if (!pool.may_wait()) co_return std::move(none);
  const auto answer = std::make_shared<one_shot<grant>>(thread_.get_executor());
  pooled_->waiting = pool.wait(until, [this, answer](grant what) {
    pooled_->waiting.reset();
    answer->deliver(std::move(what));
  });
  co_return co_await answer->wait();
}

// Fills the room that was granted. False, and the room is free again, where no connection can be had.
task<bool> session::open_pooled(cache::instant until) {
  auto& client = *pooled_;
  client.link = std::make_unique<pooled_link>(*shared().names, thread_.context(), thread_.sockets(), thread_.metrics,
                                              thread_.upstream_input);
  connect_deadline_ = data_thread::now() + thread_.settings->upstream.connect_timeout;
  name_deadline_ = until;
  const auto ec = co_await client.link->connect(client.at.host, client.at.port, thread_.upstream->version,
                                                shared().upstream_tls.load(), shared().check_upstream_host);
  std::string why = ec ? client.link->reason(ec) : std::string();
  const std::string text_record = thread_.upstream->auth_source;
  auto how = login_outcome::lost;
  if (!ec) {
    how = co_await client.link->log_in(*shared().account, text_record, shared().compression, why);
    shared().pool_login.ended(how, why);
  }
  connect_deadline_ = {};
  if (how == login_outcome::done && open_) co_return true;
  if (!ec && how != login_outcome::done) client.lack = pooled_client::shortage::no_login;
  if (open_) thread_.tell_of_failed_connect(client.at, why);
  drop_upstream();
  co_return false;
}

// What was granted to a client that has left meanwhile.
void session::keep(grant what) {
  auto& pool = thread_.pools->of(pooled_->at);
  if (what.how == grant::kind::connection) pool.give_back(std::move(what.link), data_thread::now());
  if (what.how == grant::kind::room) pool.gone();
}

bool session::holds_up_the_pool(cache::instant now) {
  if (!pooled_ || !pooled_->upload || !pooled_->link) return false;
  return pooled_->upload->is_slow(now) && thread_.pools->of(pooled_->at).waiting() > 0;
}

void session::return_link(bool clean) {
  auto& client = *pooled_;
  if (!client.link || !thread_.pools) return;
  auto link = std::move(client.link);
  auto& pool = thread_.pools->of(client.at);
  if (clean && !client.deposed) return pool.give_back(std::move(link), data_thread::now());
  link.reset();
  pool.gone();
}

}  // namespace mongocached::daemon
