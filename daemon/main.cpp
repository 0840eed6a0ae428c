// Arguments in, exit status out.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cache/heap.hpp"
#include "config/print.hpp"
#include "daemon/control/releasable_thread.hpp"
#include "daemon/control/upstream_uri.hpp"
#include "daemon/health_check.hpp"
#include "daemon/inherited_sockets.hpp"
#include "daemon/options.hpp"
#include "daemon/server.hpp"

namespace {

using namespace mongocached;

void print_line(std::FILE* to, const std::string& line) {
  std::fprintf(to, "%s\n", line.c_str());
}

constexpr auto health_patience = std::chrono::seconds(3);

int check_health(const std::string& path, const config::settings& settings) {
  if (!settings.http.address) {
    print_line(stderr, "http.address is \"none\": there is no side port to ask");
    return daemon::exit_failed;
  }
  const auto answer = daemon::ask_health(*settings.http.address, path, health_patience);
  print_line(answer.good ? stdout : stderr, answer.text);
  return answer.good ? daemon::exit_clean : daemon::exit_failed;
}

// What upstream.auth = "pooled" needs besides; false where the settings do not do.
bool prepare_pool(const config::settings& settings, const daemon::upstream_uri& upstream,
                  daemon::server_options& options) {
  if (settings.upstream.auth != config::auth_kind::pooled) return true;
  std::vector<std::string> faults;
  std::string error;
  options.users = daemon::user_table::make(settings.users, nullptr, faults);
  options.account = daemon::upstream_account::make(upstream, MONGOCACHED_VERSION, error);
  if (!error.empty()) faults.push_back("upstream.uri: " + error);
  for (const auto& fault : faults) print_line(stderr, fault);
  return faults.empty();
}

int serve(const daemon::command_line& line, const config::options& from, config::result loaded) {
  std::string error;
  auto upstream = daemon::parse_upstream_uri(loaded.settings.upstream.uri.reveal(), error);
  if (!upstream) {
    print_line(stderr, "upstream.uri: " + error);
    return daemon::exit_bad_usage;
  }
  daemon::server_options options;
  if (!prepare_pool(loaded.settings, *upstream, options)) return daemon::exit_bad_usage;
  if (line.check_config) {
    print_line(stdout, "the configuration is good");
    return daemon::exit_clean;
  }
  daemon::logger log(loaded.settings.log.level, loaded.settings.log.format);
  for (const auto& note : loaded.notes) log.warn("config", note);
  options.settings = std::make_shared<const config::settings>(std::move(loaded.settings));
  options.upstream = std::move(*upstream);
  options.reload = [from] { return config::load(from); };
  options.version = MONGOCACHED_VERSION;
  options.inherited = daemon::take_inherited_sockets(
      {std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"), std::getenv("LISTEN_FDNAMES")}, ::getpid());
  daemon::server server(std::move(options), log);
  return server.run();
}

// Nothing static, OpenSSL's least of all, may be destroyed under a thread that was let go of.
int leave(int status) {
  if (!daemon::releasable_thread::any_let_go()) return status;
  std::fflush(nullptr);
  std::_Exit(status);
}

}  // namespace

int main(int argc, char** argv) {
  cache::prepare_heap();
  std::signal(SIGPIPE, SIG_IGN);
  const auto line = daemon::parse_command_line(argc, argv, MONGOCACHED_VERSION);
  std::fputs(line.output.c_str(), stdout);
  for (const auto& fault : line.faults) print_line(stderr, fault);
  if (line.exit_status) return *line.exit_status;
  try {
    const config::options from{line.flags, config::environment_from(environ), line.config_file};
    auto loaded = config::load(from);
    for (const auto& fault : loaded.faults) print_line(stderr, fault.line);
    if (!loaded.ok()) return daemon::exit_bad_usage;
    if (line.print_config) {
      std::fputs(config::print_config(loaded).c_str(), stdout);
      return daemon::exit_clean;
    }
    if (line.health_check) return check_health(*line.health_check, loaded.settings);
    return leave(serve(line, from, std::move(loaded)));
  } catch (const std::exception& e) {
    print_line(stderr, std::string("mongocached: ") + e.what());
    return daemon::exit_failed;
  }
}
