#include "daemon/log_line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "daemon/json_text.hpp"

namespace mongocached::daemon {
namespace {

using config::log_level;

std::string_view level_name(log_level level) noexcept {
  switch (level) {
    case log_level::trace:
      return "trace";
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warn:
      return "warn";
    case log_level::error:
      return "error";
  }
  return "error";
}

void append_time(std::string& out, std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto since_epoch = duration_cast<milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = since_epoch / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  out.append(text.data(), size);
  std::snprintf(text.data(), text.size(), ".%03dZ", static_cast<int>(since_epoch % 1000));
  out += text.data();
}

// Printable ASCII that neither ends a value nor starts an escape.
bool is_plain(std::string_view text, bool blanks) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=') || (c == ' ' && blanks);
  });
}

void append_text(std::string& out, std::string_view text, bool blanks = false) {
  if (is_plain(text, blanks)) {
    out += text;
  } else {
    append_json_string(out, text);
  }
}

// Names and messages come from peers, who must not fill a disk with them.
std::string_view shown(const std::string_view value, std::string& scratch) {
  constexpr std::size_t longest = 1024;
  if (value.size() <= longest) return value;
  scratch.assign(value.substr(0, longest)).append("...");
  return scratch;
}

// Numbers and booleans as JSON has them: no nan, no inf.
bool is_json_number(std::string_view text) {
  if (text == "true" || text == "false") return true;
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

}  // namespace

std::string text_line(const log_event& event, const std::chrono::system_clock::time_point* time) {
  std::string out;
  std::string scratch;
  out.reserve(160);
  if (time != nullptr) {
    append_time(out, *time);
    out += ' ';
  }
  out += level_name(event.level);
  if (level_name(event.level).size() < 5) out += ' ';
  out += ' ';
  append_text(out, event.module);
  out += ": ";
  append_text(out, event.event, true);
  for (const log_field& field : event.fields) {
    out += ' ';
    append_text(out, field.name);
    out += '=';
    append_text(out, shown(field.value, scratch));
  }
  return out;
}

std::string json_line(const log_event& event, std::chrono::system_clock::time_point time) {
  std::string scratch;
  std::string out = "{\"time\":\"";
  out.reserve(200);
  append_time(out, time);
  out += "\",\"level\":\"";
  out += level_name(event.level);
  out += "\",\"module\":";
  append_json_string(out, event.module);
  out += ",\"event\":";
  append_json_string(out, event.event);
  for (const log_field& field : event.fields) {
    out += ',';
    append_json_string(out, field.name);
    out += ':';
    if (field.is_number && is_json_number(field.value)) {
      out += field.value;
    } else {
      append_json_string(out, shown(field.value, scratch));
    }
  }
  out += '}';
  return out;
}

std::string_view journal_prefix(log_level level) noexcept {
  switch (level) {
    case log_level::trace:
    case log_level::debug:
      return "<7>";
    case log_level::info:
      return "<6>";
    case log_level::warn:
      return "<4>";
    case log_level::error:
      return "<3>";
  }
  return "<3>";
}

bool is_journal_stream(const char* journal_stream, std::uint64_t device, std::uint64_t inode) {
  if (journal_stream == nullptr) return false;
  const char* const end = journal_stream + std::strlen(journal_stream);
  std::uint64_t given_device = 0;
  std::uint64_t given_inode = 0;
  const auto first = std::from_chars(journal_stream, end, given_device);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return false;
  const auto second = std::from_chars(first.ptr + 1, end, given_inode);
  return second.ec == std::errc() && second.ptr == end && given_device == device && given_inode == inode;
}

}  // namespace mongocached::daemon
