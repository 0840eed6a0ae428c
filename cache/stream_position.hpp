// How far the change stream has been applied: H of coherence.md, by rule C2. Fed with each batch after all of it was
// applied. Pure; one thread.
//
// A position equal to an event's time T gives only T-1, because a transaction's events share one time and may span
// batches; T itself follows with a later position, or with an empty batch from a server that had seen T as committed
// before it was asked. The same holds for the time that the stream was opened or resumed at: the first batch may come
// before anything was read.
//
// A mongos also answers an empty batch while a shard has not answered, and shards share no clock: one may have promised
// T while another's event of the same time is still to be told, sorted behind that promise (so does
// src/mongo/s/query/async_results_merger.cpp). So there a position T, whatever it is of, gives only T-1.
//
// The token of the reply that opened the stream says nothing: a server may make it up from its clock before it has read
// anything, ahead of what it will tell next. A token's time counts only where the decoder was seen to be right for this
// server: one token lies between the time that the stream was opened at and the reply's operationTime, tokens never go
// back, and every event's own token gives the event's clusterTime. One disagreement ends that trust until the stream is
// opened again; then only event times and empty batches behind them count.
#pragma once

#include "cache/change_event.hpp"

namespace mongocached::cache {

class stream_position {
 public:
  // The stream was opened, or resumed: trust in tokens starts anew, value() never goes back. Nothing earlier than
  // `from` will be missed, and nothing cached is older (0: it is resumed from a token of before). `mongos`: see above.
  void opened(cluster_time from, bool mongos = false) noexcept;

  struct batch {
    cluster_time token = 0;           // token_time() of the batch's position; 0: not understood
    cluster_time last_event = 0;      // clusterTime of its last event; 0: the batch is empty
    bool tokens_agree = true;         // every event's own token gave its clusterTime
    cluster_time operation_time = 0;  // of the reply that carried the batch
  };
  // Returns H.
  cluster_time applied(const batch& b) noexcept;
  [[nodiscard]] cluster_time value() const noexcept { return value_; }

 private:
  enum class trust : std::uint8_t { unproven, proven, refuted };

  void judge_token(const batch& b, bool opening) noexcept;

  cluster_time value_ = 0;
  cluster_time from_ = 0;            // of the opening
  cluster_time boundary_ = 0;        // newest time of which a part may still be to come
  cluster_time newest_token_ = 0;    // of this opening
  cluster_time newest_event_ = 0;    // of this opening
  cluster_time previous_reply_ = 0;  // operationTime of the batch before; 0: none since the opening
  bool mongos_ = false;
  bool first_ = true;
  trust tokens_ = trust::unproven;
};

}  // namespace mongocached::cache
