// What was made of a find before, for the next one like it. Clients send the same few finds over and over: only the
// session, the cluster time and the value of the `_id` differ. Of such a message nothing need be read again but that
// value.
//
// "Like it" is told by bytes, never by meaning: a message is like a remembered one if it is as long and differs only
//   - in its request id,
//   - inside the documents `lsid` and `$clusterTime`, which neither view_command() nor plan_read() look into,
//   - in the value of the `_id` that a look-up asks for, of a type and, where it says its own length, a length that
//     stay the same; its key is made anew, by the rules that every key is made by.
// So what find() gives is what view_command() and plan_read() would have made of the message; a list, or a look-up of
// several, is known again only if it is the same to the byte.
//
// Bounded: so many slots of so many bytes, one find a slot. Not thread-safe: one a data thread.
#pragma once

#include <array>

#include "cache/read_plan.hpp"

namespace mongocached::cache {

class plan_cache {
 public:
  static constexpr std::size_t slots = 128;
  static constexpr std::size_t longest_message = 1024;

  struct prepared {
    byte_view message;  // the same bytes, which the others are views into
    protocol::command_view command;
    read_plan plan;  // never one to forward
  };

  // `message` is a whole OP_MSG, its header checked (protocol::read_header). Null: none is like it. What is given holds
  // views into this cache, and lasts until the next call of either function.
  [[nodiscard]] const prepared* find(byte_view message);

  // The same for one of whom no more than the plan is wanted, with its views into `message`. False: none, or one that
  // was made by other rules, or one with a projection (that is compiled into views).
  [[nodiscard]] bool copy_plan(byte_view message, const read_rules& rules, read_plan& out);

  // Remembers the find in `message`, which was planned by `rules` just now; with regard to how often the one in its
  // slot is asked for. What has no plan is not remembered.
  void add(byte_view message, const read_rules& rules);
  // What was found just now was planned by rules that hold no longer.
  void forget(const prepared& found) noexcept;

 private:
  struct range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // Request id and response-to, lsid, $clusterTime, _id.
  static constexpr std::size_t most_ranges = 4;

  struct slot {
    prepared ready;
    byte_buffer bytes;
    bool filled = false;
    bool has_key = false;                      // of what it last saw
    std::array<range, most_ranges> varying{};  // in their order
    std::size_t varying_count = 0;
    std::size_t prefix_size = 0;  // of the key, up to the canonical _id; 0: the key does not vary
    int worth = 0;                // rises with each use, falls with each other find of this slot

    [[nodiscard]] bool is_the_same(byte_view message) const noexcept;
    [[nodiscard]] bool is_like(byte_view message) const noexcept;
    void take_varying(byte_view message) noexcept;
    [[nodiscard]] bool renew_key();
    [[nodiscard]] bool prepare(byte_view message, const read_rules& rules);
    void vary(byte_view part, std::size_t fixed_front, std::size_t fixed_back);
  };
  [[nodiscard]] slot* slot_of(byte_view message) noexcept;

  std::array<slot, slots> slots_;
};

}  // namespace mongocached::cache
