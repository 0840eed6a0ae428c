#include "daemon/control/upstream_reader.hpp"

#include "daemon/control/cluster_link.hpp"
#include "protocol/reply.hpp"

namespace mongocached::daemon {

class upstream_reader::impl {
 public:
  impl(const upstream_uri& uri, std::chrono::milliseconds connect_timeout)
      : source_(uri, {.connect_timeout = connect_timeout}) {}

  std::optional<protocol::byte_buffer> find(const std::string& db, const protocol::byte_buffer& command,
                                            std::string& why) {
    link_error error;
    link_reply reply;
    if (!link_.select(error) || !link_.run(command, reply, error, db)) {
      why = error.text;
      return std::nullopt;
    }
    const auto body = protocol::bson_view::parse(reply.bytes());
    protocol::reply_view view;
    protocol::cursor_view cursor;
    if (!body || !protocol::view_reply(*body, view) || !protocol::view_cursor(view, cursor) || !cursor.first_batch ||
        cursor.id != 0) {
      why = "the reply is no single batch";
      return std::nullopt;
    }
    const auto batch = cursor.first_batch->bytes();
    return protocol::byte_buffer(batch.begin(), batch.end());
  }

 private:
  cluster_source source_;
  cluster_link link_{source_};
};

upstream_reader::upstream_reader(const upstream_uri& uri, std::chrono::milliseconds connect_timeout)
    : impl_(std::make_unique<impl>(uri, connect_timeout)) {}
upstream_reader::~upstream_reader() = default;

std::optional<protocol::byte_buffer> upstream_reader::find(const std::string& db, const protocol::byte_buffer& command,
                                                           std::string& why) {
  return impl_->find(db, command, why);
}

}  // namespace mongocached::daemon
