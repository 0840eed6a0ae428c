#include "cache/store/resp_pipeline.hpp"

#include <algorithm>

namespace mongocached::cache {

resp_pipeline::resp_pipeline(const pipeline_settings& settings) : settings_(settings) {
  restart();
}

bool resp_pipeline::full() const noexcept {
  return pending_.size() >= settings_.max_pending || output_.size() >= settings_.max_output;
}

void resp_pipeline::submit(instant now, unsigned replies, reply_handler done, bool late) {
  pending_.push_back({now, replies, late, false, std::move(done)});
}

bool resp_pipeline::feed(byte_view bytes, instant now) {
  // In slices: the reader moves what is left of its buffer after each reply.
  constexpr std::size_t slice = 4096;
  const auto era = era_;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(slice, bytes.size()));
    bytes = bytes.subspan(part.size());
    reader_->feed(part);
    if (!take_replies(now)) return false;
    if (era != era_) return true;
  }
  return true;
}

bool resp_pipeline::is_message(const resp_value& value) const noexcept {
  const auto& parts = value.elements;
  return settings_.on_message && value.type == resp_type::array && parts.size() == 3 && parts[0].text() == "message" &&
         parts[1].type == resp_type::bulk && parts[2].type == resp_type::bulk;
}

bool resp_pipeline::take_replies(instant now) {
  const auto era = era_;
  resp_value value;
  for (;;) {
    const auto progress = reader_->next(value);
    if (progress == resp_reader::progress::more) return true;
    if (progress == resp_reader::progress::broken) {
      error_ = reader_->error();
      return false;
    }
    if (is_message(value)) {
      last_reply_ = now;
      settings_.on_message(value.elements[1].bytes, value.elements[2].bytes);
      if (era != era_) return true;
      continue;
    }
    if (pending_.empty()) {
      error_ = "a reply nobody asked for";
      return false;
    }
    last_reply_ = now;
    collected_.push_back(std::move(value));
    if (collected_.size() < pending_.front().replies) continue;

    auto request = std::move(pending_.front());
    pending_.pop_front();
    if (request.expired) --expired_;
    auto values = std::move(collected_);
    collected_.clear();
    if (!request.expired || request.late) {
      request.done({reply_outcome::reply, request.expired, now - request.started, values});
      if (era != era_) return true;
    }
    values.clear();
    collected_ = std::move(values);  // its room is used again
  }
}

void resp_pipeline::expire(instant now) {
  const auto era = era_;
  while (expired_ < pending_.size()) {
    auto& request = pending_[expired_];
    if (now - request.started < settings_.timeout - tick()) return;
    request.expired = true;
    ++expired_;
    const reply answer{reply_outcome::timeout, false, now - request.started, {}};
    if (request.late) {
      const auto done = request.done;  // the handler may make the queue move
      done(answer);
    } else {
      const auto done = std::move(request.done);
      request.done = nullptr;
      done(answer);
    }
    if (era != era_) return;
  }
}

bool resp_pipeline::stuck(instant now) const noexcept {
  return busy() && now - std::max(pending_.front().started, last_reply_) >= settings_.timeout * 10;
}

void resp_pipeline::close() {
  auto orphans = std::move(pending_);
  restart();
  for (auto& request : orphans) {
    if (!request.expired || request.late) request.done({reply_outcome::closed, request.expired, {}, {}});
  }
}

void resp_pipeline::discard() {
  auto orphans = std::move(pending_);
  restart();
}

void resp_pipeline::restart() {
  ++era_;
  pending_.clear();
  expired_ = 0;
  collected_.clear();
  output_.clear();
  reader_ = std::make_unique<resp_reader>(settings_.limits);
}

}  // namespace mongocached::cache
