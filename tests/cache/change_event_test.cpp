// Events as mongod and SecantusDB send them, and as nobody should.
#include "cache/change_event.hpp"

#include <gmock/gmock.h>

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

using test_support::exact_copy;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr cluster_time time = 0x6500000100000002;

const document things{{"db", "shop"}, {"coll", "things"}};
const document key{{"_id", 7}, {"region", "eu"}};

document event(std::string_view operation) {
  return document{{"_id", document{{"_data", "82"}}}, {"operationType", operation}, {"clusterTime", timestamp{time}}};
}

document data_event(std::string_view operation) {
  return with(with(event(operation), "ns", things), "documentKey", key);
}

document update(const value& description) {
  return with(data_event("update"), "updateDescription", description);
}

change_kind kind_of(const document& raw) {
  return read_change_event(raw.view()).what;
}

TEST(change_event, write_of_each_kind_names_its_document) {
  for (const auto& [operation, kind] : {std::pair{"insert", change_kind::inserted},
                                        {"replace", change_kind::replaced},
                                        {"delete", change_kind::deleted}}) {
    const document raw = data_event(operation);
    const auto read = read_change_event(raw.view());
    EXPECT_EQ(read.what, kind);
    EXPECT_EQ(read.time, time);
    EXPECT_EQ(read.db, "shop");
    EXPECT_EQ(read.collection, "things");
    ASSERT_TRUE(read.id);
    EXPECT_EQ(read.id->integer(), 7);
    EXPECT_FALSE(read.document);
  }
}

TEST(change_event, document_comes_where_it_was_sent) {
  const document full{{"_id", 7}, {"x", 1}};
  const document raw = with(data_event("insert"), "fullDocument", full);
  const auto read = read_change_event(raw.view());
  ASSERT_TRUE(read.document);
  EXPECT_TRUE(protocol::equal(read.document->bytes(), full.bytes()));
  EXPECT_EQ(kind_of(with(data_event("insert"), "fullDocument", null_value{})), change_kind::inserted);
}

TEST(change_event, update_names_every_touched_path) {
  const document raw = update(document{{"updatedFields", document{{"a.b", 1}, {"c", document{{"d", 2}}}}},
                                       {"removedFields", array{"e", "f.0"}},
                                       {"truncatedArrays", array{document{{"field", "g"}, {"newSize", 3}}}},
                                       {"disambiguatedPaths", document{{"f.0", array{"f", "0"}}}}});
  const auto read = read_change_event(raw.view());
  EXPECT_EQ(read.what, change_kind::updated);
  EXPECT_THAT(read.paths, ElementsAre("a.b", "c", "e", "f.0", "g"));
}

TEST(change_event, update_may_touch_nothing_that_we_know) {
  const document raw = update(document{});
  const auto read = read_change_event(raw.view());
  EXPECT_EQ(read.what, change_kind::updated);
  EXPECT_THAT(read.paths, IsEmpty());
}

TEST(change_event, update_that_does_not_tell_its_paths_is_unknown) {
  EXPECT_EQ(kind_of(data_event("update")), change_kind::unknown);
  EXPECT_EQ(kind_of(update(1)), change_kind::unknown);
  EXPECT_EQ(kind_of(update(document{{"updatedFields", array{}}})), change_kind::unknown);
  EXPECT_EQ(kind_of(update(document{{"removedFields", document{}}})), change_kind::unknown);
  EXPECT_EQ(kind_of(update(document{{"removedFields", array{"a", 1}}})), change_kind::unknown);
  EXPECT_EQ(kind_of(update(document{{"truncatedArrays", array{"a"}}})), change_kind::unknown);
  EXPECT_EQ(kind_of(update(document{{"truncatedArrays", array{document{{"newSize", 1}}}}})), change_kind::unknown);
  const document raw = update(document{{"updatedFields", document{{"a", 1}}}, {"removedFields", 1}});
  EXPECT_THAT(read_change_event(raw.view()).paths, IsEmpty());
}

TEST(change_event, definitions) {
  for (const auto* operation : {"drop", "create", "modify", "createIndexes", "dropIndexes", "shardCollection",
                                "refineCollectionShardKey", "reshardCollection"}) {
    EXPECT_EQ(kind_of(with(event(operation), "ns", things)), change_kind::collection) << operation;
    EXPECT_EQ(kind_of(with(event(operation), "ns", document{{"db", "shop"}})), change_kind::unknown) << operation;
  }
  const document dropped = with(event("dropDatabase"), "ns", document{{"db", "shop"}});
  const auto read = read_change_event(dropped.view());
  EXPECT_EQ(read.what, change_kind::database);
  EXPECT_EQ(read.db, "shop");
  EXPECT_TRUE(read.collection.empty());
}

TEST(change_event, rename_has_two_names) {
  const document raw = with(with(event("rename"), "ns", things), "to", document{{"db", "store"}, {"coll", "goods"}});
  const auto read = read_change_event(raw.view());
  EXPECT_EQ(read.what, change_kind::rename);
  EXPECT_EQ(read.db, "shop");
  EXPECT_EQ(read.collection, "things");
  EXPECT_EQ(read.to_db, "store");
  EXPECT_EQ(read.to_collection, "goods");
}

TEST(change_event, rename_to_an_unknown_name_reaches_everything) {
  for (const document& raw : {with(event("rename"), "ns", things),
                              with(with(event("rename"), "ns", things), "to", document{{"db", "store"}})}) {
    const auto read = read_change_event(raw.view());
    EXPECT_EQ(read.what, change_kind::unknown);
    EXPECT_TRUE(read.db.empty());
  }
}

TEST(change_event, system_collections_are_names_like_others) {
  const document views{{"db", "shop"}, {"coll", "system.views"}};
  const document raw = with(with(event("insert"), "ns", views), "documentKey", document{{"_id", "shop.cheap"}});
  const auto read = read_change_event(raw.view());
  EXPECT_EQ(read.what, change_kind::inserted);
  EXPECT_EQ(read.collection, "system.views");
  EXPECT_EQ(read.id->text(), "shop.cheap");
}

TEST(change_event, event_without_what_its_kind_needs_is_unknown_but_keeps_its_name) {
  for (const auto* operation : {"insert", "replace", "delete", "update"}) {
    const document raw = with(event(operation), "ns", things);
    const auto read = read_change_event(raw.view());
    EXPECT_EQ(read.what, change_kind::unknown);
    EXPECT_EQ(read.db, "shop");
    EXPECT_EQ(read.collection, "things");
    EXPECT_EQ(read.time, time);
  }
  EXPECT_EQ(kind_of(with(with(event("delete"), "ns", things), "documentKey", document{{"region", 1}})),
            change_kind::unknown);
  EXPECT_EQ(kind_of(with(with(event("delete"), "ns", things), "documentKey", 1)), change_kind::unknown);
  EXPECT_EQ(kind_of(with(data_event("insert"), "fullDocument", "text")), change_kind::unknown);
}

TEST(change_event, event_without_a_time_is_unknown) {
  const document raw{{"operationType", "delete"}, {"ns", things}, {"documentKey", key}};
  EXPECT_EQ(kind_of(raw), change_kind::unknown);
  EXPECT_EQ(kind_of(with(raw, "clusterTime", 5)), change_kind::unknown);
}

TEST(change_event, operation_that_we_do_not_know_is_unknown) {
  EXPECT_EQ(kind_of(data_event("transmogrify")), change_kind::unknown);
  EXPECT_EQ(kind_of(data_event("invalidate")), change_kind::unknown);
  EXPECT_EQ(kind_of(with(document{{"operationType", 1}}, "ns", things)), change_kind::unknown);
  EXPECT_EQ(kind_of(document{}), change_kind::unknown);
}

TEST(change_event, name_that_is_none_reaches_everything) {
  const std::string zero("thi\0ngs", 7);
  for (const document& ns : {document{}, document{{"db", ""}}, document{{"db", 1}},
                             document{{"db", "a.b"}, {"coll", "c"}}, document{{"db", "shop"}, {"coll", zero}},
                             document{{"db", "shop"}, {"coll", 1}}, document{{"coll", "things"}}}) {
    const document raw = with(with(event("delete"), "ns", ns), "documentKey", key);
    const auto read = read_change_event(raw.view());
    EXPECT_EQ(read.what, change_kind::unknown);
    EXPECT_TRUE(read.db.empty());
    EXPECT_TRUE(read.collection.empty());
  }
}

TEST(change_event, every_cut_of_an_event_is_refused_or_read_within_it) {
  const document raw = update(document{{"updatedFields", document{{"a.b", 1}}}, {"removedFields", array{"e"}}});
  for (std::size_t size = 5; size < raw.bytes().size(); ++size) {
    byte_buffer cut(raw.bytes().begin(), raw.bytes().begin() + static_cast<std::ptrdiff_t>(size));
    protocol::store_le(cut.data(), static_cast<std::int32_t>(size));
    cut.back() = 0;
    const exact_copy copy(cut);
    const auto view = bson_view::parse(copy.view());
    ASSERT_TRUE(view);
    if (!view->validate()) continue;
    EXPECT_EQ(read_change_event(*view).what, change_kind::unknown);
  }
}

cluster_time time_of(const value& data) {
  return token_time(document{{"_data", data}}.view());
}

TEST(token_time, key_string_of_mongod) {
  EXPECT_EQ(time_of("8265000001000000022B0229296E04"), time);
  EXPECT_EQ(time_of("8265000001000000022b022c0100296e5a1004"), time);
  EXPECT_EQ(time_of("826500000100000002"), time);
}

TEST(token_time, document_of_secantus) {
  EXPECT_EQ(time_of("3b000000107300120000001174000500000015c3016b026e001500000061646d696e2e24636d642e616767726567617465"
                    "00036b00050000000000"),
            0x6b01c31500000005U);
}

TEST(token_time, everything_else_is_0) {
  for (const auto* data : {"", "8", "82", "8265000001", "zz65000001000000022B", "1165000001000000022B",
                           "82650000010000000", "0c0000001074000500000000", "3b0000001073001200000011740005000000"}) {
    EXPECT_EQ(time_of(data), 0U) << data;
  }
  EXPECT_EQ(time_of(5), 0U);
  EXPECT_EQ(time_of(binary{0, {0x82, 0x65}}), 0U);
  EXPECT_EQ(token_time(document{}.view()), 0U);
}

}  // namespace
}  // namespace mongocached::cache
