// Header, OP_MSG and command view on any bytes: they stay within them, and what they accept means the same when it is
// written anew or moved elsewhere.
#include "protocol/command_view.hpp"
#include "protocol/reply.hpp"
#include "require.hpp"
#include "support/message_builders.hpp"

namespace {

using namespace mongocached::protocol;
using mongocached::fuzz::require;
using mongocached::test_support::exact_copy;

bool within(byte_view part, byte_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void require_same(const op_msg& a, const op_msg& b) {
  require(equal(a.body.bytes(), b.body.bytes()), "same body");
  require(a.sequence_count == b.sequence_count, "same number of sequences");
  for (std::size_t i = 0; i < a.sequence_count; ++i) {
    require(a.sequences[i].name == b.sequences[i].name, "same sequence name");
    require(a.sequences[i].count == b.sequences[i].count, "same number of documents");
    require(equal(a.sequences[i].documents, b.sequences[i].documents), "same documents");
  }
}

void require_same(const command_view& a, const command_view& b) {
  require(a.name == b.name && a.db == b.db && a.collection == b.collection && a.comment == b.comment, "same texts");
  require(equal(a.lsid, b.lsid) && a.has_txn_number == b.has_txn_number && a.txn_number == b.txn_number,
          "same session");
  require(a.in_transaction == b.in_transaction && a.starts_transaction == b.starts_transaction, "same transaction");
  require(a.has_read_concern == b.has_read_concern && a.level == b.level &&
              a.read_concern_unmodelled == b.read_concern_unmodelled && a.after_cluster_time == b.after_cluster_time,
          "same read concern");
  require(a.unacknowledged == b.unacknowledged && a.max_time_ms == b.max_time_ms && a.unmodelled == b.unmodelled &&
              a.has_cluster_time == b.has_cluster_time,
          "same generic fields");
  require(a.has_read_preference == b.has_read_preference && a.read_preference_mode == b.read_preference_mode &&
              a.read_preference_has_tags == b.read_preference_has_tags,
          "same read preference");
}

byte_buffer serialised(const op_msg& msg) {
  byte_buffer out;
  append_op_msg(out, 1, 2, msg.flags, msg.body);
  for (std::size_t i = 0; i < msg.sequence_count; ++i) {
    const auto& sequence = msg.sequences[i];
    const auto size = 4 + sequence.name.size() + 1 + sequence.documents.size();
    out.push_back(1);
    out.resize(out.size() + 4);
    store_le(out.data() + out.size() - 4, static_cast<std::int32_t>(size));
    out.insert(out.end(), sequence.name.begin(), sequence.name.end());
    out.push_back(0);
    out.insert(out.end(), sequence.documents.begin(), sequence.documents.end());
  }
  mongocached::test_support::fix_length(out);
  return out;
}

void check_command(const op_msg& msg, const op_msg& again, byte_view message) {
  command_view first;
  command_view second;
  const auto error = view_command(msg, 1, first);
  require(error == view_command(again, 1, second), "same verdict on the copy");
  if (error != command_error::none) return;
  require_same(first, second);
  for (const auto text : {first.name, first.db, first.collection, first.comment, first.read_preference_mode}) {
    require(within(as_bytes(text), message), "text lies within the message");
  }
  require(within(first.lsid, message), "lsid lies within the message");
}

void check(byte_view message) {
  message_header header;
  (void)read_header(message, header, true);
  op_msg msg;
  if (parse_op_msg(message, msg) != op_msg_error::none) return;
  require(within(msg.body.bytes(), message), "body lies within the message");
  for (std::size_t i = 0; i < msg.sequence_count; ++i) {
    require(within(msg.sequences[i].documents, message), "documents lie within the message");
  }
  const exact_copy copy(serialised(msg));
  op_msg again;
  require(parse_op_msg(copy.view(), again) == op_msg_error::none, "what was accepted is accepted again");
  require_same(msg, again);
  check_command(msg, again, message);
}

// Length and checksum put right, so that mutations reach what lies behind them.
byte_buffer repaired(byte_view input) {
  byte_buffer bytes(input.begin(), input.end());
  mongocached::test_support::fix_length(bytes);
  const auto flags = load_le<std::uint32_t>(bytes.data() + header_size);
  if ((flags & op_msg_flags::checksum_present) != 0 && bytes.size() >= header_size + 8) {
    const auto covered = byte_view(bytes).first(bytes.size() - 4);
    require(crc32c(covered) == crc32c_portable(covered), "both checksums agree");
    store_le(bytes.data() + covered.size(), crc32c(covered));
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_view input(data, size);
  (void)probe_prefix(input);
  check(input);
  if (size < header_size + 4) return 0;
  const exact_copy copy(repaired(input));
  check(copy.view());
  return 0;
}
