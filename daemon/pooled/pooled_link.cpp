#include "daemon/pooled/pooled_link.hpp"

#include "protocol/reply.hpp"

namespace mongocached::daemon {
namespace {

constexpr std::size_t login_reply_limit = 1UL << 20;

}  // namespace

task<login_outcome> pooled_link::log_in(upstream_account& account, const std::string& text_record,
                                        const protocol::compression_offer& ours, std::string& why) {
  upstream_login login(account, text_record, ours.compressors);
  std::int32_t id = 0;
  offer(ours);
  while (true) {
    protocol::byte_buffer document;
    login.append_command(document);
    protocol::byte_buffer message;
    protocol::append_op_msg(message, ++id, 0, 0, *protocol::bson_view::parse(document));
    why = "the connection was lost";
    if (co_await send(message)) co_return login_outcome::lost;
    protocol::byte_buffer reply;
    if (co_await receive(reply, login_reply_limit) != received::whole) co_return login_outcome::lost;
    protocol::op_msg parsed;
    if (protocol::parse_op_msg(reply, parsed) != protocol::op_msg_error::none) co_return login_outcome::lost;
    if (id == 1) agree(parsed.body);  // the hello
    const auto step = login.take(parsed.body);
    why = login.why();
    if (step == upstream_login::step::done) co_return login_outcome::done;
    if (step == upstream_login::step::failed)
      co_return login.is_refused() ? login_outcome::refused : login_outcome::lost;
  }
}

}  // namespace mongocached::daemon
