#include "daemon/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <span>

#include "config/nearest.hpp"
#include "config/secret.hpp"

namespace mongocached::daemon {
namespace {

// A later flag wins over an earlier one of the same name, so that a wrapper script's arguments can be overridden.
constexpr auto repeated = CLI::MultiOptionPolicy::TakeLast;

std::vector<std::string> known_flags() {
  std::vector<std::string> out{"--config", "--check-config", "--print-config", "--health-check", "--version", "--help"};
  for (const auto& f : config::flags()) out.emplace_back(f.flag);
  return out;
}

// One line, whatever was on the command line.
std::string printable(std::string_view text) {
  std::string out{text.substr(0, 120)};
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

// What CLI11 could not place. The word behind an unknown flag is taken for its value: it may be a secret, and is no
// second fault.
std::vector<std::string> faults_of(const std::vector<std::string>& extras) {
  std::vector<std::string> out;
  bool value_may_follow = false;
  for (const auto& word : extras) {
    const bool is_flag = word.size() > 1 && word.starts_with('-');
    if (is_flag) {
      const auto name = word.substr(0, word.find('='));
      value_may_follow = name == word;
      out.push_back(printable(config::mask_text(name)) + ": no such flag; the nearest is " +
                    config::nearest(name, known_flags()));
    } else if (!value_may_follow) {
      out.push_back("\"" + printable(config::mask_uri(word)) + "\": not a flag; allowed: flags only, see --help");
    } else {
      value_may_follow = false;
    }
  }
  return out;
}

// By its words, for what follows may be what is wrong.
bool asks_health(std::span<const char* const> words) {
  return std::ranges::any_of(
      words, [](std::string_view word) { return word == "--health-check" || word.starts_with("--health-check="); });
}

}  // namespace

command_line parse_command_line(int argc, const char* const* argv, std::string_view version) {
  command_line out;
  bool show_version = false;
  std::string config_file;
  std::string health_path;

  CLI::App app{"Caching proxy that speaks the MongoDB wire protocol", "mongocached"};
  app.allow_extras();
  app.set_help_flag("--help", "print this and exit");
  app.add_option("--config", config_file, "the configuration file (TOML)")
      ->type_name("FILE")
      ->multi_option_policy(repeated);
  const auto offered = config::flags();
  std::vector<std::string> values(offered.size());
  std::vector<CLI::Option*> options;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    auto* option = app.add_option(std::string{offered[i].flag}, values[i], std::string{offered[i].meaning});
    options.push_back(option->type_name(std::string{offered[i].value})->multi_option_policy(repeated));
  }
  app.add_flag("--check-config", out.check_config, "say what is wrong with the settings and exit");
  app.add_flag("--print-config", out.print_config, "print the effective settings, passwords masked, and exit");
  app.add_option("--health-check", health_path,
                 "ask the mongocached that runs with these settings, and exit with 0 or 1")
      ->type_name("healthz|readyz")
      ->check(CLI::IsMember({"healthz", "readyz"}))
      ->multi_option_policy(repeated);
  app.add_flag("--version", show_version, "print the version and exit");
  app.footer(
      "Every key of the file has an environment name, MONGOCACHED_SECTION_KEY.\n"
      "Exit status: 0 clean stop, 1 could not start or run, 2 bad usage or configuration.");

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out.output = app.help();
    out.exit_status = exit_clean;
    return out;
  } catch (const CLI::ParseError& error) {
    out.faults.push_back(printable(config::mask_text(error.what())));
  }
  for (auto& line : faults_of(app.remaining())) out.faults.push_back(std::move(line));
  if (!out.faults.empty()) {
    // Whoever asks by the exit status knows 0 and 1; to Docker 2 is reserved.
    out.exit_status = asks_health({argv, static_cast<std::size_t>(argc)}) ? exit_failed : exit_bad_usage;
    return out;
  }
  if (show_version) {
    out.output = "mongocached " + std::string{version} + "\n";
    out.exit_status = exit_clean;
    return out;
  }
  if (app.count("--config") > 0) out.config_file = config_file;
  if (app.count("--health-check") > 0) out.health_check = health_path;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    if (options[i]->count() > 0) out.flags[offered[i].key] = values[i];
  }
  return out;
}

}  // namespace mongocached::daemon
