#include "auth/scram_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <stdexcept>

#include "auth/base64.hpp"

namespace mongocached::auth {
namespace {

const EVP_MD* function_of(scram_hash hash) noexcept {
  return hash == scram_hash::sha1 ? EVP_sha1() : EVP_sha256();
}

const unsigned char* octets(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* octets(std::string& text) noexcept {
  return reinterpret_cast<unsigned char*>(text.data());
}

std::string digest_by(const EVP_MD* function, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), octets(out), &size, function, nullptr) != 1)
    throw std::runtime_error("OpenSSL refuses a digest that SCRAM needs");
  out.resize(size);
  return out;
}

// The part of `rest` up to `separator`, which goes with it.
std::optional<std::string_view> cut(std::string_view& rest, char separator) {
  const auto at = rest.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const auto part = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return part;
}

}  // namespace

std::string_view mechanism_of(scram_hash hash) noexcept {
  return hash == scram_hash::sha1 ? "SCRAM-SHA-1" : "SCRAM-SHA-256";
}

std::optional<scram_hash> hash_of(std::string_view mechanism) noexcept {
  for (const auto hash : {scram_hash::sha1, scram_hash::sha256}) {
    if (mechanism == mechanism_of(hash)) return hash;
  }
  return std::nullopt;
}

std::size_t digest_size(scram_hash hash) noexcept {
  return hash == scram_hash::sha1 ? 20 : 32;
}

int usual_iterations(scram_hash hash) noexcept {
  return hash == scram_hash::sha1 ? sha1_iterations : sha256_iterations;
}

std::size_t usual_salt_size(scram_hash hash) noexcept {
  return digest_size(hash) - 4;  // as mongod: with the block number of PBKDF2 it fills one digest
}

std::string digest(scram_hash hash, std::string_view text) {
  return digest_by(function_of(hash), text);
}

std::string hmac(scram_hash hash, std::string_view key, std::string_view text) {
  std::string out(digest_size(hash), '\0');
  unsigned size = 0;
  if (HMAC(function_of(hash), key.data(), static_cast<int>(key.size()), octets(text), text.size(), octets(out),
           &size) == nullptr) {
    throw std::runtime_error("OpenSSL refuses an HMAC that SCRAM needs");
  }
  return out;
}

std::string salted_password(scram_hash hash, std::string_view password, std::string_view salt, int iterations) {
  std::string out(digest_size(hash), '\0');
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt), static_cast<int>(salt.size()),
                        iterations, function_of(hash), static_cast<int>(out.size()), octets(out)) != 1) {
    throw std::runtime_error("OpenSSL refuses the key derivation that SCRAM needs");
  }
  return out;
}

scram_keys keys_from_salted(scram_hash hash, std::string_view salted, std::string_view salt, int iterations) {
  return {.hash = hash,
          .iterations = iterations,
          .salt = std::string(salt),
          .stored_key = digest(hash, hmac(hash, salted, "Client Key")),
          .server_key = hmac(hash, salted, "Server Key")};
}

std::string mongodb_digest(std::string_view user, std::string_view password) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string text(user);
  text += ":mongo:";
  text += password;
  std::string out;
  for (const char c : digest_by(EVP_md5(), text)) {
    const auto byte = static_cast<unsigned char>(c);
    out += hex[byte >> 4U];
    out += hex[byte & 15U];
  }
  return out;
}

std::optional<scram_keys> parse_stored_keys(std::string_view text, std::string& why) {
  const auto refuse = [&why](const char* what) {
    why = what;
    return std::optional<scram_keys>();
  };
  auto rest = text;
  const auto mechanism = cut(rest, '$');
  if (!mechanism || *mechanism != mechanism_of(scram_hash::sha256)) return refuse("does not begin with SCRAM-SHA-256$");
  const auto rounds = cut(rest, ':');
  const auto salt = cut(rest, '$');
  const auto stored = cut(rest, ':');
  if (!rounds || !salt || !stored)
    return refuse("is not of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey");
  scram_keys out;
  const auto [end, error] = std::from_chars(rounds->data(), rounds->data() + rounds->size(), out.iterations);
  if (error != std::errc{} || end != rounds->data() + rounds->size()) return refuse("its iterations are no number");
  if (out.iterations < least_iterations) return refuse("its iterations are fewer than 15000");
  if (out.iterations > most_iterations) return refuse("its iterations are more than 10000000");
  auto salt_bytes = from_base64(*salt);
  auto stored_key = from_base64(*stored);
  auto server_key = from_base64(rest);
  if (!salt_bytes || salt_bytes->size() < 8 || salt_bytes->size() > 1024)
    return refuse("its salt is not 8 to 1024 bytes in base64");
  const auto size = digest_size(out.hash);
  if (!stored_key || stored_key->size() != size) return refuse("its StoredKey is not 32 bytes in base64");
  if (!server_key || server_key->size() != size) return refuse("its ServerKey is not 32 bytes in base64");
  out.salt = std::move(*salt_bytes);
  out.stored_key = std::move(*stored_key);
  out.server_key = std::move(*server_key);
  return out;
}

std::string print_stored_keys(const scram_keys& keys) {
  return std::string(mechanism_of(keys.hash)) + '$' + std::to_string(keys.iterations) + ':' + to_base64(keys.salt) +
         '$' + to_base64(keys.stored_key) + ':' + to_base64(keys.server_key);
}

std::string exclusive_or(std::string_view a, std::string_view b) {
  std::string out(a);
  for (std::size_t i = 0; i < out.size() && i < b.size(); ++i) out[i] = static_cast<char>(out[i] ^ b[i]);
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t size) {
  std::string out(size, '\0');
  if (RAND_bytes(octets(out), static_cast<int>(size)) != 1) throw std::runtime_error("no randomness");
  return out;
}

std::string random_nonce() {
  constexpr std::size_t bytes = 24;
  return to_base64(random_bytes(bytes));
}

}  // namespace mongocached::auth
