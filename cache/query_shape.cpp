#include "cache/query_shape.hpp"

#include <algorithm>
#include <utility>

#include "cache/entry.hpp"
#include "cache/name_table.hpp"
#include "cache/read_plan.hpp"
#include "protocol/utf8.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::command_view;

// What is shown of an argument; of all others that it is there.
enum class shown : std::uint8_t { nothing, fields, stages };

constexpr name_table arguments(std::to_array<named<shown>>({
    {"filter", shown::fields},
    {"query", shown::fields},
    {"sort", shown::fields},
    {"projection", shown::fields},
    {"hint", shown::fields},
    {"min", shown::fields},
    {"max", shown::fields},
    {"pipeline", shown::stages},
    {"$db", shown::nothing},
    {"lsid", shown::nothing},
    {"$clusterTime", shown::nothing},
    {"comment", shown::nothing},
    {"maxTimeMS", shown::nothing},
    {"cursor", shown::nothing},
    {"txnNumber", shown::nothing},
    {"autocommit", shown::nothing},
    {"startTransaction", shown::nothing},
}));

constexpr bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         c == '.' || c == '-';
}

template <std::size_t N>
void append_escaped(bounded_text<N>& out, const protocol::code_point& next, std::string_view bytes) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  if (next.size == 0) {
    out.append("\xef\xbf\xbd");
  } else if (protocol::is_control(next.code)) {
    const std::array<char, 6> escape{'\\',
                                     'u',
                                     digits[next.code >> 12U & 15U],
                                     digits[next.code >> 8U & 15U],
                                     digits[next.code >> 4U & 15U],
                                     digits[next.code & 15U]};
    out.append({escape.data(), escape.size()});
  } else if (next.code == '"' || next.code == '\\') {
    const std::array<char, 2> escape{'\\', static_cast<char>(next.code)};
    out.append({escape.data(), escape.size()});
  } else {
    out.append(bytes.substr(0, next.size));
  }
}

template <std::size_t N>
void append_name(bounded_text<N>& out, std::string_view name, std::size_t longest) noexcept {
  if (!name.empty() && name.size() <= longest && std::ranges::all_of(name, is_plain)) return out.append(name);
  out.append("\"");
  auto left = longest;
  while (!name.empty()) {
    const auto next = protocol::decode_utf8(name);
    const auto size = std::max<std::size_t>(next.size, 1);
    if (size > left) {
      out.append("...");
      break;
    }
    append_escaped(out, next, name);
    name.remove_prefix(size);
    left -= size;
  }
  out.append("\"");
}

class shape_writer {
 public:
  explicit shape_writer(bounded_text<query_shape::longest_text>& out) noexcept : out_(out) {}

  void append_command(const command_view& command) noexcept {
    out_.append(command.name);
    out_.append(" {");
    bson_element argument;
    bson_cursor cursor(command.message.body);
    bool first = true;
    for (bool named = cursor.next(argument); named && cursor.next(argument) && goes_on();) {
      const auto* const how = arguments.find(argument.name);
      if (how != nullptr && *how == shown::nothing) continue;
      if (!std::exchange(first, false)) out_.append(", ");
      append_argument(argument, how);
    }
    out_.append("}");
  }

 private:
  // Counts one element more. False: the rest is left out.
  bool goes_on() noexcept {
    if (out_.is_full()) return false;
    if (elements_++ < query_shape::most_elements) return true;
    if (elements_ == query_shape::most_elements + 1) out_.append("...");
    return false;
  }

  void append_argument(const bson_element& argument, const shown* how) noexcept {
    append_name(out_, argument.name, query_shape::longest_name);
    if (how == nullptr) return;
    out_.append(": ");
    if (*how == shown::fields) return append_value(argument, 0);
    append_members(argument, [this](const bson_element& stage) { append_stage(stage); });
  }

  void append_value(const bson_element& element, int depth) noexcept {
    const bool nested = element.is(bson_type::document) || element.is(bson_type::array);
    if (!nested) return out_.append("?");
    if (depth == query_shape::deepest) return out_.append("...");
    if (element.is(bson_type::document)) return append_fields(element, depth);
    append_members(element, [this, depth](const bson_element& member) { append_value(member, depth + 1); });
  }

  void append_fields(const bson_element& element, int depth) noexcept {
    const auto document = element.document();
    out_.append("{");
    bson_element field;
    bool first = true;
    for (bson_cursor cursor(document.value_or(bson_view())); cursor.next(field) && goes_on();) {
      if (!std::exchange(first, false)) out_.append(", ");
      append_name(out_, field.name, query_shape::longest_name);
      out_.append(": ");
      append_value(field, depth + 1);
    }
    out_.append("}");
  }

  void append_stage(const bson_element& stage) noexcept {
    bson_element name;
    const auto document = stage.object();
    if (bson_cursor cursor(document.value_or(bson_view())); cursor.next(name)) {
      append_name(out_, name.name, query_shape::longest_name);
    } else {
      out_.append("?");
    }
  }

  // Members that look like the one before them are not repeated.
  template <class Append>
  void append_members(const bson_element& element, Append append) noexcept {
    const auto array = element.array();
    if (!array) return out_.append("?");
    out_.append("[");
    std::size_t before = 0;  // where the last member that was kept begins; 0: there is none
    std::size_t left = query_shape::most_members;
    bson_element member;
    for (bson_cursor cursor(*array); left-- > 0 && cursor.next(member) && goes_on();) {
      const auto end = out_.size();
      if (before != 0) out_.append(", ");
      const auto begin = out_.size();
      append(member);
      const auto text = out_.text();
      if (before != 0 && text.substr(begin) == text.substr(before, end - before)) {
        out_.shorten(end);
      } else {
        before = begin;
      }
    }
    out_.append("]");
  }

  bounded_text<query_shape::longest_text>& out_;
  std::size_t elements_ = 0;
};

}  // namespace

bool has_shape(const command_view& command) noexcept {
  const bool known = command.is("find") || command.is("aggregate") || command.is("count") || command.is("distinct");
  return known && is_user_namespace(command.db, command.collection);
}

query_shape::query_shape(const command_view& command) noexcept {
  if (!has_shape(command)) return;
  append_name(namespace_, command.db, longest_namespace);
  if (!command.collection.empty()) {
    namespace_.append(".");
    append_name(namespace_, command.collection, longest_namespace);
  }
  shape_writer(text_).append_command(command);
}

std::uint64_t query_shape::hash() const noexcept {
  return hash_key(protocol::as_bytes(text())) * 31 + hash_key(protocol::as_bytes(ns()));
}

}  // namespace mongocached::cache
