#include "cache/stream_position.hpp"

#include <algorithm>
#include <utility>

#include "cache/guard.hpp"

namespace mongocached::cache {

void stream_position::opened(cluster_time from, bool mongos) noexcept {
  from_ = from;
  boundary_ = std::max(boundary_, from);
  newest_token_ = 0;
  newest_event_ = 0;
  previous_reply_ = 0;
  mongos_ = mongos;
  first_ = true;
  tokens_ = trust::unproven;
}

void stream_position::judge_token(const batch& b, bool opening) noexcept {
  if (!b.tokens_agree) tokens_ = trust::refuted;
  if (opening) return;
  const bool disorder = b.token != 0 && (b.token < newest_token_ || b.token < b.last_event);
  if (disorder) tokens_ = trust::refuted;
  const bool plausible = b.token != 0 && b.token >= from_ && b.token <= b.operation_time;
  if (tokens_ == trust::unproven && plausible) tokens_ = trust::proven;
  newest_token_ = std::max(newest_token_, b.token);
}

cluster_time stream_position::applied(const batch& b) noexcept {
  const bool opening = std::exchange(first_, false);
  judge_token(b, opening);
  const bool empty = b.last_event == 0;
  const bool counts = !opening && tokens_ == trust::proven && b.token != 0 && b.token <= b.operation_time;
  // Resumed: the first position may be the one that was asked for, with more of its time to come.
  if (opening && empty && from_ == 0) boundary_ = std::max(boundary_, b.token);
  boundary_ = std::max(boundary_, b.last_event);

  cluster_time reached = from_ == 0 ? 0 : from_ - 1;
  if (!empty) reached = std::max(reached, is_kept(guard::transaction_time) ? b.last_event - 1 : b.last_event);
  if (counts) reached = std::max(reached, b.token > boundary_ && !mongos_ ? b.token : b.token - 1);
  if (empty && !mongos_) {
    for (const cluster_time whole : {newest_event_, counts ? b.token : 0}) {
      if (whole <= previous_reply_) reached = std::max(reached, whole);
    }
  }

  newest_event_ = std::max(newest_event_, b.last_event);
  previous_reply_ = b.operation_time;
  value_ = std::max(value_, reached);
  return value_;
}

}  // namespace mongocached::cache
