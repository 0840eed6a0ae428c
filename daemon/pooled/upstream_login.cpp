#include "daemon/pooled/upstream_login.hpp"

#include <algorithm>
#include <array>

#include "auth/saslprep.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_builder;
using protocol::bson_view;

constexpr std::string_view plain = "PLAIN";
constexpr std::size_t most_remembered = 64;  // a server has one salt for a user

std::string_view payload_in(bson_view reply) {
  constexpr std::size_t prefix = 5;  // int32 length, subtype
  const auto payload = reply.find("payload");
  if (!payload || !payload->is(protocol::bson_type::binary) || payload->value.size() < prefix) return {};
  return protocol::as_text(payload->value.subspan(prefix));
}

bool truthy(bson_view document, std::string_view field) {
  const auto element = document.find(field);
  return element && element->truthy() == true;
}

std::string error_in(bson_view reply) {
  const auto text = reply.find("errmsg");
  return text && text->text() ? std::string(*text->text()) : "no reason given";
}

// Not for what the server goes through just now, such as an election.
bool refuses_user(bson_view reply) {
  // BadValue (a mechanism), UserNotFound, AuthenticationFailed, MechanismUnavailable, AtlasError.
  constexpr std::array<std::int64_t, 5> codes{2, 11, 18, 334, 8000};
  const auto code = reply.find("code");
  return code && std::ranges::find(codes, code->integer().value_or(0)) != codes.end();
}

// The best of the mechanisms that the server says this user has; without its word what every server had first.
std::string_view best_mechanism(bson_view hello) {
  const auto offered = hello.find("saslSupportedMechs");
  const auto array = offered ? offered->array() : std::nullopt;
  if (!array) return auth::mechanism_of(auth::scram_hash::sha1);
  protocol::bson_element one;
  for (protocol::bson_cursor cursor(*array); cursor.next(one);) {
    if (one.text() == auth::mechanism_of(auth::scram_hash::sha256)) return *one.text();
  }
  return auth::mechanism_of(auth::scram_hash::sha1);
}

}  // namespace

std::unique_ptr<upstream_account> upstream_account::make(const upstream_uri& uri, std::string version,
                                                         std::string& error) {
  auto out = std::make_unique<upstream_account>();
  out->version_ = std::move(version);
  if (uri.username.empty() && uri.auth_mechanism.empty()) return out;
  const bool known = uri.auth_mechanism.empty() || uri.auth_mechanism == plain || auth::hash_of(uri.auth_mechanism);
  if (!known) {
    error = "authMechanism " + uri.auth_mechanism +
            " cannot be used with upstream.auth = \"pooled\"; allowed: SCRAM-SHA-256, SCRAM-SHA-1 or PLAIN";
    return nullptr;
  }
  out->user_ = uri.username;
  out->source_ = uri.auth_source;
  out->source_given_ = uri.auth_source_given;
  out->mechanism_ = uri.auth_mechanism;
  out->password_ = uri.password;
  auto prepared = auth::saslprep(uri.password.reveal());
  if (!prepared && uri.auth_mechanism == auth::mechanism_of(auth::scram_hash::sha256)) {
    error = "its password holds characters that SASLprep (RFC 4013) does not allow";
    return nullptr;
  }
  out->prepared_ = std::move(prepared).value_or(std::string{});
  return out;
}

std::string upstream_account::salted(auth::scram_hash hash, std::string_view salt, int iterations) {
  const std::scoped_lock lock(mutex_);
  std::tuple key(hash, std::string(salt), iterations);
  if (const auto known = salted_.find(key); known != salted_.end()) return known->second;
  const auto password = hash == auth::scram_hash::sha1 ? auth::mongodb_digest(user_, password_.reveal()) : prepared_;
  auto out = auth::salted_password(hash, password, salt, iterations);
  if (salted_.size() >= most_remembered) salted_.clear();
  salted_.emplace(std::move(key), out);
  return out;
}

void upstream_login::append_command(protocol::byte_buffer& out) const {
  bson_builder command(out);
  if (state_ == state::hello) {
    command.append_int32("hello", 1);
    {
      auto client = command.open_document("client");
      {
        auto driver = client.open_document("driver");
        driver.append_string("name", "mongocached");
        driver.append_string("version", account_.version());
      }
      auto os = client.open_document("os");
      os.append_string("type", "Linux");
    }
    if (account_.logs_in() && account_.mechanism().empty())
      command.append_string("saslSupportedMechs", source_ + '.' + account_.user());
    compressors_.append_to(command);
    command.append_string("$db", "admin");
    return;
  }
  command.append_int32(state_ == state::start ? "saslStart" : "saslContinue", 1);
  if (state_ == state::start) {
    command.append_string("mechanism", mechanism_);
  } else {
    command.append_int32("conversationId", conversation_);
  }
  command.append_binary("payload", 0, protocol::as_bytes(payload_));
  if (state_ == state::start) {
    auto options = command.open_document("options");
    options.append_bool("skipEmptyExchange", true);
  }
  command.append_string("$db", source_);
}

upstream_login::step upstream_login::take(bson_view reply) {
  if (!truthy(reply, "ok")) return fail(error_in(reply), state_ != state::hello && refuses_user(reply));
  if (state_ == state::hello) return account_.logs_in() ? begin(reply) : step::done;
  if (const auto id = reply.find("conversationId"))
    conversation_ = static_cast<std::int32_t>(id->integer().value_or(0));
  if (mechanism_ == plain) return truthy(reply, "done") ? step::done : fail("PLAIN needs one message, not more");
  if (state_ == state::start) return prove(reply);
  return end(reply);
}

upstream_login::step upstream_login::begin(bson_view hello) {
  mechanism_ = account_.mechanism().empty() ? best_mechanism(hello) : account_.mechanism();
  state_ = state::start;
  if (mechanism_ == plain) {
    payload_ = '\0' + account_.user() + '\0' + account_.password();
    return step::more;
  }
  const auto hash = *auth::hash_of(mechanism_);
  const auto salting = [&account = account_, hash](std::string_view salt, int iterations) {
    return account.salted(hash, salt, iterations);
  };
  scram_.emplace(hash, account_.user(), salting, auth::random_nonce());
  payload_ = scram_->first();
  return step::more;
}

upstream_login::step upstream_login::prove(bson_view reply) {
  auto proof = scram_->final(payload_in(reply));
  if (!proof) return fail("its SCRAM message is none of this conversation, or asks for fewer than 4096 iterations");
  payload_ = std::move(*proof);
  state_ = state::proof;
  return step::more;
}

upstream_login::step upstream_login::end(bson_view reply) {
  if (state_ == state::proof && !scram_->verify(payload_in(reply)))
    return fail("it does not know the keys of the user in upstream.uri: it is not the server it should be");
  if (truthy(reply, "done")) return step::done;
  if (state_ == state::verified) return fail("its SCRAM conversation does not end");
  state_ = state::verified;
  payload_.clear();
  return step::more;
}

upstream_login::step upstream_login::fail(std::string why, bool refused) {
  refused_ = refused;
  why_ = std::move(why);
  return step::failed;
}

}  // namespace mongocached::daemon
