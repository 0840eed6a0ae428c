#include "daemon/pooled/sasl_conversation.hpp"

#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {
namespace {

using protocol::bson_view;

// Binary as drivers send it; the shells of old sent base64 text, which no driver with SCRAM-SHA-256 does.
std::optional<std::string_view> payload_of(bson_view command) {
  constexpr std::size_t prefix = 5;  // int32 length, subtype
  const auto payload = command.find("payload");
  if (!payload || !payload->is(protocol::bson_type::binary) || payload->value.size() < prefix) return std::nullopt;
  return protocol::as_text(payload->value.subspan(prefix));
}

bool skips_empty_exchange(bson_view command) {
  const auto options = command.find("options");
  const auto document = options ? options->object() : std::nullopt;
  const auto skip = document ? document->find("skipEmptyExchange") : std::nullopt;
  return skip && skip->truthy() == true;
}

}  // namespace

std::optional<sasl_answer> sasl_conversation::start(bson_view command, std::string_view db) {
  if (state_ != state::first) return std::nullopt;
  state_ = state::over;
  const auto mechanism = command.find("mechanism");
  const auto hash = mechanism && mechanism->text() ? auth::hash_of(*mechanism->text()) : std::nullopt;
  const auto payload = payload_of(command);
  if (!hash || !payload) return std::nullopt;
  skip_empty_exchange_ = skips_empty_exchange(command);
  find_ = [this, hash = *hash, db = std::string(db)](std::string_view name) -> const auth::scram_keys* {
    meant_ = db == source ? users_->find(name) : nullptr;
    if (!meant_) return nullptr;
    if (hash == auth::scram_hash::sha256) return &meant_->sha256;
    return meant_->sha1 ? &*meant_->sha1 : nullptr;
  };
  scram_.emplace(*hash, find_, users_->made_up(), auth::random_nonce());
  auto reply = scram_->first(*payload);
  if (!reply) return std::nullopt;
  state_ = state::final;
  return sasl_answer{false, std::move(*reply)};
}

std::optional<sasl_answer> sasl_conversation::next(bson_view command) {
  const auto before = std::exchange(state_, state::over);
  const auto number = command.find("conversationId");
  const auto payload = payload_of(command);
  if (!number || number->integer() != id || !payload) return std::nullopt;
  if (before == state::empty) {
    if (!payload->empty()) return std::nullopt;
    user_ = meant_;
    return sasl_answer{true, {}};
  }
  if (before != state::final) return std::nullopt;
  auto reply = scram_->final(*payload);
  if (!reply || !meant_ || meant_->revoked.load()) return std::nullopt;
  if (skip_empty_exchange_) {
    user_ = meant_;
  } else {
    state_ = state::empty;
  }
  return sasl_answer{skip_empty_exchange_, std::move(*reply)};
}

}  // namespace mongocached::daemon
