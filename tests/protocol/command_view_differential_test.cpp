// view_command against field look-ups by libbson, on random commands made of generic fields with values of random
// types, and on the same commands damaged.
#include <gtest/gtest.h>

#include "libbson_reference.hpp"
#include "protocol/command_view.hpp"
#include "random_documents.hpp"
#include "support/message_builders.hpp"

namespace mongocached::protocol {
namespace {

using namespace test_support;

constexpr const char* generic_fields[] = {
    "$db",         "lsid",         "comment",      "txnNumber",       "maxTimeMS",        "autocommit",
    "readConcern", "writeConcern", "$clusterTime", "$readPreference", "startTransaction", "filter"};

byte_buffer random_command(random_source& random) {
  bson_t command = BSON_INITIALIZER;
  BSON_APPEND_UTF8(&command, "find", "things");
  for (auto fields = random.below(8); fields != 0; --fields) {
    const std::string name = generic_fields[random.below(std::size(generic_fields))];
    if (name == "$db" && !random.one_in(8)) {
      BSON_APPEND_UTF8(&command, "$db", random.text(5).c_str());
    } else if (name == "lsid" && !random.one_in(8)) {
      bson_t id = BSON_INITIALIZER;
      append_random_document(&id, random, 1);
      BSON_APPEND_DOCUMENT(&command, "lsid", &id);
      bson_destroy(&id);
    } else {
      append_random_value(&command, name, random, 2);
    }
  }
  const auto* data = bson_get_data(&command);
  byte_buffer bytes(data, data + command.len);
  bson_destroy(&command);
  return bytes;
}

class reference {
 public:
  explicit reference(bson_view body) { EXPECT_TRUE(bson_init_static(&body_, body.bytes().data(), body.size())); }

  // The first of that name behind the command's own element.
  [[nodiscard]] bool find(bson_iter_t& iter, const char* name) const {
    return bson_iter_init(&iter, &body_) && bson_iter_next(&iter) && bson_iter_find(&iter, name);
  }
  [[nodiscard]] bool has(const char* name) const {
    bson_iter_t iter;
    return find(iter, name);
  }
  [[nodiscard]] std::string_view text(const char* name) const {
    bson_iter_t iter;
    if (!find(iter, name) || !BSON_ITER_HOLDS_UTF8(&iter)) return {};
    std::uint32_t size = 0;
    const auto* text = bson_iter_utf8(&iter, &size);
    return {text, size};
  }
  [[nodiscard]] bool well_formed() const { return libbson_accepts_top_level(body_); }
  [[nodiscard]] bool bad_field() const {
    bson_iter_t iter;
    if (!bson_iter_init(&iter, &body_) || !bson_iter_next(&iter)) return false;
    while (bson_iter_next(&iter)) {
      const std::string_view name = bson_iter_key(&iter);
      if (name == "$db" && !BSON_ITER_HOLDS_UTF8(&iter)) return true;
      if (name == "lsid" && !BSON_ITER_HOLDS_DOCUMENT(&iter)) return true;
    }
    return false;
  }

 private:
  bson_t body_;
};

void expect_same(const command_view& ours, const reference& theirs) {
  EXPECT_EQ(ours.db, theirs.text("$db"));
  EXPECT_EQ(ours.has_txn_number, theirs.has("txnNumber"));
  EXPECT_EQ(ours.in_transaction, theirs.has("autocommit"));
  EXPECT_EQ(ours.starts_transaction, theirs.has("startTransaction"));
  EXPECT_EQ(ours.has_read_concern, theirs.has("readConcern"));
  EXPECT_EQ(ours.has_cluster_time, theirs.has("$clusterTime"));
  EXPECT_EQ(ours.has_read_preference, theirs.has("$readPreference"));
  EXPECT_EQ(ours.lsid.empty(), !theirs.has("lsid"));
  bson_iter_t iter;
  if (ours.unmodelled) return;  // with a field given twice the two may have read another one
  EXPECT_EQ(ours.comment, theirs.text("comment"));
  if (theirs.find(iter, "txnNumber")) {
    EXPECT_EQ(ours.txn_number, bson_iter_int64(&iter));
  }
  if (theirs.find(iter, "maxTimeMS")) {
    EXPECT_EQ(ours.max_time_ms, bson_iter_as_int64(&iter));
  }
  if (theirs.find(iter, "lsid")) {
    std::uint32_t size = 0;
    const std::uint8_t* data = nullptr;
    bson_iter_document(&iter, &size, &data);
    EXPECT_TRUE(equal(ours.lsid, {data, size}));
  }
}

void compare(const byte_buffer& body, int round) {
  const auto view = bson_view::parse(body);
  if (!view || view->empty()) return;
  op_msg msg;
  msg.body = *view;
  command_view ours;
  const auto error = view_command(msg, 1, ours);
  const reference theirs(*view);
  if (theirs.bad_field()) {
    // The damage may come before or behind it.
    ASSERT_NE(error, command_error::none) << "round " << round;
    return;
  }
  const bool accepted = error == command_error::none;
  if (accepted && holds_old_binary(*view)) return;
  EXPECT_EQ(accepted, theirs.well_formed());
  if (accepted) expect_same(ours, theirs);
  ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round << ": " << testing::PrintToString(body);
}

TEST(command_view_against_libbson, agrees_on_random_commands) {
  random_source random(1);
  for (int i = 0; i < 5000 && !HasFatalFailure(); ++i) compare(random_command(random), i);
}

TEST(command_view_against_libbson, agrees_on_damaged_commands) {
  random_source random(2);
  for (int i = 0; i < 10000 && !HasFatalFailure(); ++i) {
    auto body = random_command(random);
    damage(body, random);
    compare(body, i);
  }
}

}  // namespace
}  // namespace mongocached::protocol
