// Look-ups by _id as drivers and shells send them: each of these must be served from the cache.
#include "read_plan_support.hpp"

namespace mongocached::cache {
namespace {

// What drivers send, field by field and in their order.
std::vector<std::pair<const char*, document>> driver_look_ups() {
  const document filter{{"_id", some_object_id}};
  const document lsid{{"id", binary{4, byte_buffer(16)}}};
  const document time{{"clusterTime", timestamp{77}},
                      {"signature", document{{"hash", binary{0, byte_buffer(20)}}, {"keyId", 7L}}}};
  const document preferred{{"mode", "primaryPreferred"}};
  const value things("things");
  const value shop("shop");
  return {
      {"PyMongo find_one",
       {{"find", things},
        {"filter", filter},
        {"limit", 1},
        {"singleBatch", true},
        {"lsid", lsid},
        {"$clusterTime", time},
        {"$db", shop}}},
      {"PyMongo find_one, direct connection",
       {{"find", things},
        {"filter", filter},
        {"limit", 1},
        {"singleBatch", true},
        {"lsid", lsid},
        {"$db", shop},
        {"$readPreference", preferred}}},
      {"PyMongo find", {{"find", things}, {"filter", filter}, {"lsid", lsid}, {"$db", shop}}},
      {"PyMongo find, causally consistent",
       {{"find", things},
        {"filter", filter},
        {"lsid", lsid},
        {"readConcern", document{{"afterClusterTime", timestamp{5}}}},
        {"$db", shop}}},
      {"Node findOne",
       {{"find", things},
        {"filter", filter},
        {"limit", 1},
        {"singleBatch", true},
        {"batchSize", 1},
        {"lsid", lsid},
        {"$db", shop}}},
      {"Node 6 findOne",
       {{"find", things},
        {"filter", filter},
        {"limit", 1},
        {"batchSize", 2},
        {"singleBatch", true},
        {"lsid", lsid},
        {"$clusterTime", time},
        {"$db", shop}}},
      {"Node find", {{"find", things}, {"filter", filter}, {"batchSize", 1000}, {"lsid", lsid}, {"$db", shop}}},
      {"mongosh findOne",
       {{"find", things},
        {"filter", filter},
        {"limit", 1},
        {"singleBatch", true},
        {"noCursorTimeout", false},
        {"tailable", false},
        {"awaitData", false},
        {"allowPartialResults", false},
        {"lsid", lsid},
        {"$db", shop}}},
      {"mongo shell",
       {{"find", things},
        {"filter", filter},
        {"limit", 1.0},
        {"singleBatch", false},
        {"skip", 0.0},
        {"lsid", lsid},
        {"$db", shop}}},
      {"Java first",
       {{"find", things},
        {"filter", filter},
        {"limit", 1},
        {"singleBatch", true},
        {"$db", shop},
        {"lsid", lsid},
        {"$clusterTime", time},
        {"$readPreference", preferred}}},
      {"Java with a majority read concern",
       {{"find", things},
        {"filter", filter},
        {"readConcern", document{{"level", "majority"}}},
        {"$db", shop},
        {"lsid", lsid}}},
      {"Go FindOne",
       {{"find", things},
        {"filter", filter},
        {"limit", 1L},
        {"singleBatch", true},
        {"lsid", lsid},
        {"$clusterTime", time},
        {"$db", shop}}},
      {"C# First",
       {{"find", things}, {"filter", filter}, {"limit", 1}, {"$db", shop}, {"lsid", lsid}, {"maxTimeMS", 500L}}},
      {"Rust find_one",
       {{"find", things}, {"$db", shop}, {"filter", filter}, {"limit", 1L}, {"singleBatch", true}, {"comment", "x"}}},
      {"Stable API",
       {{"find", things}, {"filter", filter}, {"limit", 1}, {"$db", shop}, {"apiVersion", "1"}, {"apiStrict", false}}},
      {"empty arguments",
       {{"find", things}, {"filter", filter}, {"projection", document{}}, {"sort", document{}}, {"$db", shop}}},
  };
}

TEST(driver_shapes, what_drivers_send_is_looked_up) {
  const auto plain = planned(find({{"_id", some_object_id}}));
  for (const auto& [what, body] : driver_look_ups()) {
    const auto plan = planned(body);
    ASSERT_EQ(outcome(plan), "by_id") << what;
    EXPECT_EQ(key_text(plan.id_key(0)), key_text(plain.id_key(0))) << what;
    EXPECT_FALSE(plan.projected) << what;
  }
}

TEST(driver_shapes, every_read_preference_is_satisfied_by_the_primary) {
  for (const auto* mode : {"primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"}) {
    EXPECT_EQ(outcome_of(with(find({{"_id", 1}}), "$readPreference", document{{"mode", mode}})), "by_id") << mode;
  }
  EXPECT_EQ(outcome_of(with(find({{"_id", 1}}), "$readPreference",
                            document{{"mode", "nearest"}, {"tags", array{}}, {"maxStalenessSeconds", 120}})),
            "by_id");
}

}  // namespace
}  // namespace mongocached::cache
