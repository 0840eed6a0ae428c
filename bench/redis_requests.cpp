// RESP: GET of one key at a time, as a Redis client without pipelining sends it.
#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "bench/request_writer.hpp"

namespace mongocached::bench {
namespace {

using protocol::as_bytes;
using protocol::as_text;
using protocol::byte_view;

constexpr std::size_t digits = 16;  // a key is "k:" and its number in hexadecimal; a value begins with the same digits

void write_digits(char* at, std::uint64_t number) {
  for (std::size_t i = digits; i-- > 0; number >>= 4) at[i] = "0123456789abcdef"[number & 15];
}

class redis_writer final : public request_writer {
 public:
  explicit redis_writer(const load_options& options)
      : options_(options), value_head_("$" + std::to_string(options.value_size) + "\r\n") {}

  void greet(channel& server) override {
    const std::string_view ping = "*1\r\n$4\r\nPING\r\n";
    send_all(server, as_bytes(ping).data(), ping.size());
    expect(server, "+PONG\r\n");
  }

  void populate(channel& server) override {
    std::string value(options_.value_size, 'v');
    std::array<char, digits> number{};
    for (std::uint64_t key = 0; key < options_.key_space; ++key) {
      write_digits(number.data(), key);
      std::copy(number.begin(), number.end(), value.begin());
      const std::string set = "*3\r\n$3\r\nSET\r\n$18\r\nk:" + std::string(number.data(), digits) + "\r\n$" +
                              std::to_string(value.size()) + "\r\n" + value + "\r\n";
      send_all(server, as_bytes(set).data(), set.size());
      expect(server, "+OK\r\n");
    }
  }

  byte_view prepare(operation, std::uint64_t number) override {
    write_digits(get_.data() + get_.size() - 2 - digits, number);
    return as_bytes(get_);
  }

  reply_state judge(byte_view received, std::size_t& size) override {
    const std::string_view text = as_text(received);
    const std::size_t whole = value_head_.size() + options_.value_size + 2;
    if (!value_head_.starts_with(text.substr(0, value_head_.size()))) {
      return bad("no value of the expected size: " + std::string(text.substr(0, 60)));
    }
    if (text.size() < whole) return reply_state::incomplete;
    const std::string_view asked = std::string_view(get_).substr(get_.size() - 2 - digits, digits);
    if (options_.check == reply_check::identity && text.substr(value_head_.size(), digits) != asked) {
      return bad("the value belongs to another key");
    }
    size = whole;
    return reply_state::good;
  }

 private:
  static void expect(channel& server, std::string_view wanted) {
    std::string got(wanted.size(), '\0');
    receive_all(server, reinterpret_cast<std::uint8_t*>(got.data()), got.size());
    if (got != wanted) throw std::runtime_error("unexpected answer of Redis: " + got);
  }

  const load_options& options_;
  std::string value_head_;
  std::string get_ = "*2\r\n$3\r\nGET\r\n$18\r\nk:0000000000000000\r\n";
};

}  // namespace

std::unique_ptr<request_writer> make_redis_writer(const load_options& options) {
  return std::make_unique<redis_writer>(options);
}

}  // namespace mongocached::bench
