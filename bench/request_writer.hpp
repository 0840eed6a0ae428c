// The requests of the load generator, built once a connection and patched before each use, so that sending costs next
// to nothing. One interface for both protocols; one object a connection; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bench/channel.hpp"
#include "bench/load_options.hpp"
#include "protocol/bytes.hpp"

namespace mongocached::bench {

enum class operation { read, write, top };

enum class reply_state {
  incomplete,  // more bytes are needed
  good,
  bad,  // `problem()` says why
};

class request_writer {
 public:
  virtual ~request_writer() = default;

  // The handshake that a driver makes on a new connection, on a blocking socket. Throws if it fails.
  virtual void greet(channel& server) = 0;
  // Writes the documents or values of keys [0, options.key_space), on a blocking socket. Throws if it fails.
  virtual void populate(channel& server) = 0;
  // The bytes to send; valid until the next call. `number` chooses the document, or the category of a top-N list.
  [[nodiscard]] virtual protocol::byte_view prepare(operation op, std::uint64_t number) = 0;
  // Judges the reply to what was prepared last; sets `size` to the reply's bytes where it is good.
  [[nodiscard]] virtual reply_state judge(protocol::byte_view received, std::size_t& size) = 0;
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 protected:
  reply_state bad(std::string why) {
    problem_ = std::move(why);
    return reply_state::bad;
  }

 private:
  std::string problem_;
};

[[nodiscard]] std::unique_ptr<request_writer> make_mongo_writer(const load_options& options, std::uint64_t connection);
[[nodiscard]] std::unique_ptr<request_writer> make_redis_writer(const load_options& options);

}  // namespace mongocached::bench
