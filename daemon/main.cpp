// Arguments in, exit status out.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>

#include "cache/heap.hpp"
#include "config/print.hpp"
#include "daemon/control/releasable_thread.hpp"
#include "daemon/health_check.hpp"
#include "daemon/inherited_sockets.hpp"
#include "daemon/options.hpp"
#include "daemon/server.hpp"
#include "daemon/usable_settings.hpp"

namespace {

using namespace mongocached;

void print_line(std::FILE* to, const std::string& line) {
  std::fprintf(to, "%s\n", line.c_str());
}

constexpr auto health_patience = std::chrono::seconds(3);

// All that a health check goes by is where the side port is. In a container it does not see the flags of the daemon
// that it asks, so that settings without which there is no daemon may be missing.
bool concerns_health(const config::fault& fault) {
  return fault.key.empty() || fault.key == "http" || fault.key.starts_with("http.");
}

int check_health(const std::string& path, const config::result& loaded) {
  bool usable = true;
  for (const auto& fault : loaded.faults) {
    if (!concerns_health(fault)) continue;
    print_line(stderr, fault.line);
    usable = false;
  }
  if (!usable) return daemon::exit_failed;
  const auto& settings = loaded.settings;
  if (!settings.http.address) {
    print_line(stderr, "http.address is \"none\": there is no side port to ask");
    return daemon::exit_failed;
  }
  const auto answer = daemon::ask_health(*settings.http.address, path, health_patience);
  print_line(answer.good ? stdout : stderr, answer.text);
  return answer.good ? daemon::exit_clean : daemon::exit_failed;
}

// What upstream.auth = "pooled" needs besides.
void prepare_pool(const config::settings& settings, daemon::server_options& options,
                  std::vector<config::fault>& faults) {
  if (settings.upstream.auth != config::auth_kind::pooled) return;
  std::vector<std::string> of_users;
  std::string error;
  options.users = daemon::user_table::make(settings.users, nullptr, of_users);
  for (auto& fault : of_users) faults.push_back({"user", std::move(fault)});
  options.account = daemon::upstream_account::make(options.upstream, MONGOCACHED_VERSION, error);
  if (!error.empty()) faults.push_back({"upstream.uri", "upstream.uri: " + error});
}

// What a start makes of the settings before it serves anybody. Adds to their faults and notes.
void prepare(config::result& loaded, daemon::server_options& options) {
  auto upstream = daemon::parse_uris(loaded);
  if (!upstream) return;
  options.upstream = std::move(*upstream);
  daemon::try_tls_files(loaded, options.upstream);
  prepare_pool(loaded.settings, options, loaded.faults);
}

// What could not be used after a restart is refused at the reload already, though it would wait until then.
config::result load_again(const config::options& from) {
  auto fresh = config::load(from);
  if (fresh.ok()) static_cast<void>(daemon::parse_uris(fresh));
  return fresh;
}

int serve(const daemon::command_line& line, const config::options& from, config::result loaded,
          daemon::inherited_sockets inherited) {
  daemon::server_options options;
  prepare(loaded, options);
  for (const auto& fault : loaded.faults) print_line(stderr, fault.line);
  if (!loaded.ok()) return daemon::exit_bad_usage;
  if (line.check_config) {
    for (const auto& note : loaded.notes) print_line(stderr, "warning: " + note);
    print_line(stdout, "the configuration is good");
    return daemon::exit_clean;
  }
  daemon::logger log(loaded.settings.log.level, loaded.settings.log.format);
  for (const auto& note : loaded.notes) log.warn("config", note);
  options.settings = std::make_shared<const config::settings>(std::move(loaded.settings));
  options.reload = [from] { return load_again(from); };
  options.version = MONGOCACHED_VERSION;
  options.inherited = std::move(inherited);
  daemon::server server(std::move(options), log);
  return server.run();
}

// Nothing static, OpenSSL's least of all, may be destroyed under a thread that was let go of.
int leave(int status) {
  if (!daemon::releasable_thread::any_let_go()) return status;
  std::fflush(stdout);  // the log may hang in stderr, and hold it
  std::_Exit(status);
}

// Or else sockets take the places of those that are closed, and get what is printed.
void open_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // What is opened gets the lowest number that is free, which is this one.
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

// Those that mean nothing here, and would end the process.
void ignore_signals() {
  for (const int number : {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM}) std::signal(number, SIG_IGN);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  cache::prepare_heap();
  ignore_signals();
  const auto line = daemon::parse_command_line(argc, argv, MONGOCACHED_VERSION);
  std::fputs(line.output.c_str(), stdout);
  for (const auto& fault : line.faults) print_line(stderr, fault);
  if (line.exit_status) return *line.exit_status;
  try {
    auto inherited = daemon::take_inherited_sockets(
        {std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"), std::getenv("LISTEN_FDNAMES")}, ::getpid());
    const config::options from{line.flags, config::environment_from(environ), line.config_file,
                               daemon::addresses_of(inherited)};
    auto loaded = config::load(from);
    if (line.health_check) return check_health(*line.health_check, loaded);
    for (const auto& fault : loaded.faults) print_line(stderr, fault.line);
    if (!loaded.ok()) return daemon::exit_bad_usage;
    if (line.print_config) {
      std::fputs(config::print_config(loaded).c_str(), stdout);
      return daemon::exit_clean;
    }
    return leave(serve(line, from, std::move(loaded), std::move(inherited)));
  } catch (const std::exception& e) {
    print_line(stderr, std::string("mongocached: ") + e.what());
    return daemon::exit_failed;
  }
}
