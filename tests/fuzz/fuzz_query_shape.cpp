// query_shape on any message: text that can be shown to people, of bounded length, and the same whatever the values
// are.
#include "cache/query_shape.hpp"
#include "command_of.hpp"
#include "protocol/utf8.hpp"
#include "require.hpp"
#include "support/scrubbed_values.hpp"

namespace {

using namespace mongocached::cache;
using namespace mongocached::protocol;
using mongocached::fuzz::require;

void require_presentable(std::string_view text, std::size_t longest) {
  require(text.size() <= longest, "of bounded length");
  while (!text.empty()) {
    const auto next = decode_utf8(text);
    require(next.size > 0, "UTF-8");
    require(!is_control(next.code), "no control characters");
    text.remove_prefix(next.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto made = mongocached::fuzz::command_of(data, size);
  if (!made) return 0;
  const auto& command = made->command;
  const query_shape shape(command);
  require_presentable(shape.text(), query_shape::longest_text);
  require_presentable(shape.ns(), query_shape::longest_namespace);
  require(has_shape(command) != shape.text().empty(), "a shape exactly where there is one");

  const auto other = mongocached::test_support::with_other_values(command.message.body.bytes());
  op_msg same_names = command.message;
  same_names.body = bson_view::parse(other).value_or(bson_view());
  command_view second;
  require(view_command(same_names, 1, second) == command_error::none, "a command still");
  const query_shape again(second);
  require(again.text() == shape.text() && again.hash() == shape.hash(), "values do not show");
  return 0;
}
