#include "daemon/pooled/pool_probe.hpp"

#include <boost/asio/ssl/context.hpp>

#include "daemon/data_thread.hpp"

namespace mongocached::daemon {

void pool_probe::begin() {
  const auto& target = *thread_.upstream;
  if (link_ || closed_ || !target.available) return;
  const server_address at{target.host, target.port};
  auto& pool = thread_.pools->of(at);
  if (!pool.take_room()) return;
  if (!thread_.shared.pool_login.may_try(data_thread::now())) return pool.gone();
  link_ = std::make_unique<pooled_link>(*thread_.shared.names, thread_.context(), thread_.sockets(), thread_.metrics,
                                        thread_.upstream_input);
  deadline_ = data_thread::now() + thread_.settings->upstream.connect_timeout;
  spawn(log_in(at), [this, at](const std::exception_ptr&) {
    if (!link_) return;
    link_.reset();
    thread_.pools->of(at).gone();
  });
}

task<void> pool_probe::log_in(server_address at) {
  auto& shared = thread_.shared;
  const auto target = thread_.upstream;
  std::string why;
  auto how = login_outcome::lost;
  const auto ec = co_await link_->connect(*target, shared.upstream_tls.load(), shared.check_upstream_host);
  if (ec) {
    why = link_->reason(ec);
  } else {
    how = co_await link_->log_in(*shared.account, target->auth_source, shared.compression, why);
    shared.pool_login.ended(how, why);
  }
  auto link = std::move(link_);
  auto& pool = thread_.pools->of(at);
  if (how == login_outcome::done) co_return pool.give_back(std::move(link), data_thread::now());
  link.reset();
  pool.gone();
  if (!closed_) thread_.tell_of_failed_connect(at, why);
}

void pool_probe::sweep(cache::instant now) {
  if (link_ && now >= deadline_) link_->close();
}

void pool_probe::close() {
  closed_ = true;
  if (link_) link_->close();
}

}  // namespace mongocached::daemon
