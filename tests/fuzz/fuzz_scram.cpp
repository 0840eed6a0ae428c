// A client's SCRAM messages, and a server's, of any bytes: parsed parts lie within them, and nobody is let in who does
// not know the password. The first byte chooses the message; a line break separates two.
#include "auth/scram_client.hpp"
#include "auth/scram_message.hpp"
#include "auth/scram_server.hpp"
#include "require.hpp"

namespace {

using namespace mongocached::auth;
using mongocached::fuzz::require;

bool within(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void check_parsers(std::string_view text) {
  if (const auto first = parse_client_first(text)) {
    require(within(first->bare, text) && within(first->nonce, text), "parts lie within the message");
    require(!first->user.empty(), "a user has a name");
    const auto again = parse_client_first("n,,n=" + escape_user(first->user) + ",r=" + std::string(first->nonce));
    require(again && again->user == first->user, "a name survives its escape");
  }
  if (const auto final = parse_client_final(text)) {
    require(within(final->without_proof, text) && within(final->nonce, text), "parts lie within the message");
  }
  if (const auto first = parse_server_first(text)) {
    require(within(first->nonce, text) && first->iterations > 0, "rounds are positive");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_parsers(text);
  static const scram_keys keys = keys_from_salted(scram_hash::sha256, "salted", "salt", sha256_iterations);
  static const scram_server::lookup find = [](std::string_view user) { return user == "user" ? &keys : nullptr; };
  const auto split = text.find('\n');
  static const made_up_salts salts{"secret", "secret", {}};
  scram_server server(scram_hash::sha256, find, salts, "server");
  static_cast<void>(server.first(text.substr(0, split)));
  if (split != std::string_view::npos) require(!server.final(text.substr(split + 1)), "nobody knows the password");
  scram_client client(
      scram_hash::sha256, "user", [](std::string_view, int) { return std::string(32, 'x'); }, "client");
  static_cast<void>(client.final(text));
  require(!client.verify(text), "nobody knows the keys");
  return 0;
}
