#include "daemon/json_document.hpp"

#include <boost/json.hpp>
#include <string>
#include <utility>

#include "daemon/json_text.hpp"

namespace mongocached::daemon {
namespace {

namespace json = boost::json;
using protocol::bson_builder;

void append_integer(bson_builder& out, std::string_view name, std::int64_t value) {
  if (std::in_range<std::int32_t>(value)) {
    out.append_int32(name, static_cast<std::int32_t>(value));
  } else {
    out.append_int64(name, value);
  }
}

void append_unsigned(bson_builder& out, std::string_view name, std::uint64_t value) {
  if (std::in_range<std::int64_t>(value)) {
    append_integer(out, name, static_cast<std::int64_t>(value));
  } else {
    out.append_double(name, static_cast<double>(value));
  }
}

void append_json(bson_builder& out, std::string_view name, const json::value& value);

void append_elements(bson_builder& out, const json::array& from) {
  for (std::size_t i = 0; i < from.size(); ++i) append_json(out, std::to_string(i), from[i]);
}

void append_json(bson_builder& out, std::string_view name, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return out.append_value(protocol::bson_type::null, name, {});
    case json::kind::bool_:
      return out.append_bool(name, value.get_bool());
    case json::kind::int64:
      return append_integer(out, name, value.get_int64());
    case json::kind::uint64:
      return append_unsigned(out, name, value.get_uint64());
    case json::kind::double_:
      return out.append_double(name, value.get_double());
    case json::kind::string:
      return out.append_string(name, valid_utf8(value.get_string()));
    case json::kind::array: {
      auto array = out.open_array(name);
      return append_elements(array, value.get_array());
    }
    case json::kind::object: {
      auto document = out.open_document(name);
      return append_members(document, value.get_object());
    }
  }
}

}  // namespace

void append_members(bson_builder& out, const json::object& from) {
  for (const auto& [name, value] : from) append_json(out, name, value);
}

}  // namespace mongocached::daemon
