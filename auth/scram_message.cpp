#include "auth/scram_message.hpp"

#include <algorithm>
#include <charconv>

#include "auth/base64.hpp"
#include "auth/scram_keys.hpp"

namespace mongocached::auth {
namespace {

// Attributes "x=value" separated by commas, in the order that the grammar prescribes.
class attributes {
 public:
  explicit attributes(std::string_view text) : rest_(text) {}

  // The next attribute's value, if it is the one of this letter.
  std::optional<std::string_view> take(char letter) {
    if (done_ || rest_.size() < 2 || rest_[0] != letter || rest_[1] != '=') return std::nullopt;
    const auto end = rest_.find(',');
    const auto value = rest_.substr(2, end == std::string_view::npos ? end : end - 2);
    done_ = end == std::string_view::npos;
    rest_.remove_prefix(done_ ? rest_.size() : end + 1);
    return value;
  }
  // What is left are extensions that may be passed over: attributes of other letters.
  [[nodiscard]] bool only_extensions_left() const { return done_ || is_extension(rest_); }
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] bool done() const noexcept { return done_; }

 private:
  static bool is_extension(std::string_view text) {
    while (true) {
      const auto end = text.find(',');
      const auto one = text.substr(0, end);
      const bool letter = !one.empty() && ((one[0] >= 'a' && one[0] <= 'z') || (one[0] >= 'A' && one[0] <= 'Z'));
      if (!letter || one[0] == 'm' || one.size() < 3 || one[1] != '=') return false;
      if (end == std::string_view::npos) return true;
      text.remove_prefix(end + 1);
    }
  }

  std::string_view rest_;
  bool done_ = false;
};

bool is_nonce(std::string_view text) noexcept {
  if (text.empty() || text.size() > longest_scram_nonce) return false;
  return std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

bool is_message(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_scram_message && text.find('\0') == std::string_view::npos;
}

std::optional<std::string> unescape_user(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text[0] != '=') {
      out += text[0];
      text.remove_prefix(1);
    } else if (text.starts_with("=2C") || text.starts_with("=3D")) {
      out += text[1] == '2' ? ',' : '=';
      text.remove_prefix(3);
    } else {
      return std::nullopt;
    }
  }
  if (out.empty() || out.size() > longest_scram_user) return std::nullopt;
  return out;
}

}  // namespace

std::optional<client_first> parse_client_first(std::string_view text) {
  if (!is_message(text)) return std::nullopt;
  const auto flag_end = text.find(',');
  if (flag_end != 1 || (text[0] != 'n' && text[0] != 'y')) return std::nullopt;
  const auto header_end = text.find(',', flag_end + 1);
  if (header_end == std::string_view::npos) return std::nullopt;
  auto authorization = text.substr(flag_end + 1, header_end - flag_end - 1);
  client_first out;
  out.gs2_header = text.substr(0, header_end + 1);
  out.bare = text.substr(header_end + 1);
  attributes parts(out.bare);
  const auto name = parts.take('n');
  const auto nonce = parts.take('r');
  if (!name || !nonce || !is_nonce(*nonce) || !parts.only_extensions_left()) return std::nullopt;
  auto user = unescape_user(*name);
  if (!user) return std::nullopt;
  if (!authorization.empty()) {
    if (!authorization.starts_with("a=") || unescape_user(authorization.substr(2)) != user) return std::nullopt;
  }
  out.user = std::move(*user);
  out.nonce = *nonce;
  return out;
}

std::optional<client_final> parse_client_final(std::string_view text) {
  if (!is_message(text)) return std::nullopt;
  // The proof is the last attribute.
  const auto proof_at = text.rfind(",p=");
  if (proof_at == std::string_view::npos) return std::nullopt;
  client_final out;
  out.without_proof = text.substr(0, proof_at);
  auto proof = from_base64(text.substr(proof_at + 3));
  attributes parts(out.without_proof);
  const auto binding = parts.take('c');
  const auto nonce = parts.take('r');
  auto channel = binding ? from_base64(*binding) : std::nullopt;
  if (!proof || !channel || !nonce || !is_nonce(*nonce) || !parts.only_extensions_left()) return std::nullopt;
  out.channel_binding = std::move(*channel);
  out.nonce = *nonce;
  out.proof = std::move(*proof);
  return out;
}

std::optional<server_first> parse_server_first(std::string_view text) {
  if (!is_message(text)) return std::nullopt;
  attributes parts(text);
  const auto nonce = parts.take('r');
  const auto salt = parts.take('s');
  const auto rounds = parts.take('i');
  if (!nonce || !is_nonce(*nonce) || !salt || !rounds || !parts.only_extensions_left()) return std::nullopt;
  server_first out;
  const auto [end, error] = std::from_chars(rounds->data(), rounds->data() + rounds->size(), out.iterations);
  if (error != std::errc{} || end != rounds->data() + rounds->size()) return std::nullopt;
  auto bytes = from_base64(*salt);
  if (!bytes || bytes->empty() || out.iterations < 1 || out.iterations > most_asked_iterations) return std::nullopt;
  out.nonce = *nonce;
  out.salt = std::move(*bytes);
  return out;
}

std::string escape_user(std::string_view user) {
  std::string out;
  for (const char c : user) {
    if (c == ',') {
      out += "=2C";
    } else if (c == '=') {
      out += "=3D";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace mongocached::auth
