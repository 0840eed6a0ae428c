#include "bench/load_worker.hpp"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <stdexcept>

namespace mongocached::bench {
namespace {

using std::chrono::duration;
using std::chrono::nanoseconds;

constexpr auto stall_limit = std::chrono::seconds(10);  // a server that answers nothing for so long is broken
constexpr std::size_t input_size = 4096;  // grows to the largest reply; ten thousand connections have one each

double thread_cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

load_clock::duration as_duration(double seconds) {
  return std::chrono::duration_cast<load_clock::duration>(duration<double>(seconds));
}

// A number that no earlier run of this tool has reached, so that `distinct` keys stay distinct over runs.
std::uint64_t fresh_number() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<nanoseconds>(now).count());
}

}  // namespace

struct load_worker::client {
  channel server;
  std::unique_ptr<request_writer> requests;
  protocol::byte_buffer in = protocol::byte_buffer(input_size);
  std::size_t have = 0;
  operation op = operation::read;
  load_clock::time_point intended;  // when the request in flight was due
  bool busy = false;
};

struct load_worker::phase {
  bool record = false;
  bool sweep = false;            // keys in order, each once, instead of the distribution
  std::uint64_t budget = ~0ULL;  // requests left to send
  load_clock::time_point end = load_clock::time_point::max();
  load_clock::duration interval{};  // open loop; zero: closed
  load_clock::time_point due;       // open loop: of the next request
  std::uint64_t sweep_key = 0;

  [[nodiscard]] bool open() const { return interval != load_clock::duration::zero(); }
  [[nodiscard]] bool may_send(load_clock::time_point now) const { return !over(now) && (!open() || due <= now); }
  [[nodiscard]] bool over(load_clock::time_point now) const { return budget == 0 || now >= end; }
};

void load_result::merge(const load_result& other) {
  latencies.merge(other.latencies);
  reads += other.reads;
  writes += other.writes;
  tops += other.tops;
  unsent += other.unsent;
  all += other.all;
  errors += other.errors;
  if (first_error.empty()) first_error = other.first_error;
  seconds = std::max(seconds, other.seconds);
  cpu_seconds += other.cpu_seconds;
}

load_worker::load_worker(const load_options& options, std::shared_ptr<const std::vector<double>> shares, unsigned index)
    : options_(options),
      index_(index),
      tls_(options.tls_ca.empty() ? nullptr : make_client_context(options.tls_ca)),
      keys_(options.keys, options.key_space, std::move(shares), options.seed * 1'000'003 + index,
            fresh_number() + index, options.threads),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_.get() < 0) fail_with_errno("epoll_create1");
}

load_worker::~load_worker() = default;

void load_worker::connect() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // nanosecond: an open loop's requests go out when they are due
  const unsigned share = options_.connections / options_.threads;
  const unsigned mine = share + (index_ < options_.connections % options_.threads ? 1 : 0);
  for (unsigned i = 0; i < mine; ++i) {
    auto c = std::make_unique<client>();
    c->server = channel(connect_to(options_.target));
    if (tls_) c->server.secure_as_client(tls_, "localhost");
    c->requests = options_.protocol == load_protocol::mongo
                      ? make_mongo_writer(options_, std::uint64_t{i} * options_.threads + index_)
                      : make_redis_writer(options_);
    c->requests->greet(c->server);
    idle_.push_back(c.get());
    clients_.push_back(std::move(c));
  }
}

void load_worker::populate() {
  clients_.front()->requests->populate(clients_.front()->server);
}

void load_worker::warm_up() {
  for (auto& c : clients_) {
    set_non_blocking(c->server.descriptor());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = c.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, c->server.descriptor(), &event) != 0) fail_with_errno("epoll_ctl");
  }
  if (options_.sweep && (options_.keys == key_distribution::uniform || options_.keys == key_distribution::zipf)) {
    phase sweep;
    sweep.sweep = true;
    sweep.sweep_key = index_;
    sweep.budget = (options_.key_space + options_.threads - 1 - index_) / options_.threads;
    drive(sweep);
  }
  phase warm;
  warm.end = load_clock::now() + as_duration(options_.warm_up_seconds);
  drive(warm);
}

load_result load_worker::measure() {
  phase p;
  p.record = true;
  const auto start = load_clock::now();
  if (options_.count > 0) {
    p.budget = options_.count / options_.threads + (index_ < options_.count % options_.threads ? 1 : 0);
  } else {
    p.end = start + as_duration(options_.seconds);
  }
  if (options_.rate > 0) {
    p.interval = as_duration(options_.threads / options_.rate);
    p.due = start + p.interval * index_ / options_.threads;
  }
  const double cpu = thread_cpu_seconds();
  drive(p);
  result_.cpu_seconds = thread_cpu_seconds() - cpu;
  result_.seconds = duration<double>(load_clock::now() - start).count();
  if (p.open() && p.due < p.end) result_.unsent = static_cast<std::uint64_t>((p.end - p.due) / p.interval);
  return std::move(result_);
}

// Until the phase is over and everything sent is answered.
void load_worker::drive(phase& p) {
  std::array<epoll_event, 256> events{};
  last_reply_ = load_clock::now();
  for (;;) {
    start_due(p);
    const auto now = load_clock::now();
    if (in_flight_ == 0 && (p.over(now) || idle_.empty())) return;
    if (in_flight_ > 0 && now - last_reply_ > stall_limit) return lose_all("no reply for ten seconds");
    const bool waits_for_due = p.open() && has_free_client() && !p.over(now);
    const auto wait = waits_for_due ? std::max(p.due - now, load_clock::duration::zero()) : stall_limit;
    const auto ns = std::chrono::duration_cast<nanoseconds>(wait).count();
    const timespec limit{ns / 1'000'000'000, ns % 1'000'000'000};
    const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &limit, nullptr);
    if (count < 0 && errno != EINTR) fail_with_errno("epoll_pwait2");
    for (int i = 0; i < count; ++i) receive(p, *static_cast<client*>(events[static_cast<std::size_t>(i)].data.ptr));
  }
}

void load_worker::start_due(phase& p) {
  while (has_free_client()) {
    const auto now = load_clock::now();
    if (!p.may_send(now)) return;
    client& c = *idle_.front();
    idle_.pop_front();
    start(p, c, p.open() ? std::exchange(p.due, p.due + p.interval) : now);
  }
}

void load_worker::start(phase& p, client& c, load_clock::time_point intended) {
  --p.budget;
  std::uint64_t number = 0;
  c.op = operation::read;
  if (p.sweep) {
    number = std::exchange(p.sweep_key, p.sweep_key + options_.threads);
  } else {
    number = keys_.next();
    if (options_.write_share > 0 || options_.top_share > 0) {
      const double choice = keys_.unit();
      if (choice < options_.write_share) {
        c.op = operation::write;
      } else if (choice < options_.write_share + options_.top_share) {
        c.op = operation::top;
      }
    }
  }
  c.intended = intended;
  c.busy = true;
  ++in_flight_;
  const auto bytes = c.requests->prepare(c.op, number);
  const ssize_t n = c.server.send(bytes.data(), bytes.size());
  // A socket without anything in flight has room for one small request.
  if (n != static_cast<ssize_t>(bytes.size())) lose(c, "a request could not be sent");
}

void load_worker::receive(phase& p, client& c) {
  do {
    receive_once(p, c);
  } while (c.server.holds_bytes());
}

void load_worker::receive_once(phase& p, client& c) {
  const ssize_t n = c.server.receive(c.in.data() + c.have, c.in.size() - c.have);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return lose(c, "connection closed by the server");
  const auto arrived = load_clock::now();
  c.have += static_cast<std::size_t>(n);
  if (!c.busy) return lose(c, "bytes without a request");
  std::size_t size = 0;
  const reply_state state = c.requests->judge({c.in.data(), c.have}, size);
  if (state == reply_state::incomplete) {
    if (c.have == c.in.size()) c.in.resize(2 * c.in.size());
    return;
  }
  if (state == reply_state::bad && size == 0) return lose(c, c.requests->problem());
  if (state == reply_state::bad) count_error(c.requests->problem());
  if (c.have != size) return lose(c, "bytes behind a reply");
  c.have = 0;
  c.busy = false;
  --in_flight_;
  last_reply_ = arrived;
  ++result_.all;
  if (p.record) {
    result_.latencies.record(static_cast<std::uint64_t>(
        std::max<std::int64_t>(std::chrono::duration_cast<nanoseconds>(arrived - c.intended).count(), 0)));
    ++(c.op == operation::read ? result_.reads : c.op == operation::write ? result_.writes : result_.tops);
  }
  idle_.push_back(&c);
  start_due(p);
}

// The connection ends and is not used again.
void load_worker::lose(client& c, const std::string& why) {
  count_error(why);
  if (std::exchange(c.busy, false)) {
    --in_flight_;
  } else {
    std::erase(idle_, &c);
  }
  c.server.close();
}

void load_worker::lose_all(const std::string& why) {
  for (auto& c : clients_) {
    if (c->busy) lose(*c, why);
  }
}

void load_worker::count_error(const std::string& why) {
  ++result_.errors;
  if (result_.first_error.empty()) result_.first_error = why;
}

}  // namespace mongocached::bench
