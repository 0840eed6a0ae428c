#include "daemon/session/namespace_probe.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON
using cache::cacheability;

cacheability judged(const document& reply) {
  return judge_collection(reply.view());
}
cacheability judged_by_name(const document& reply, int wire_version = 21) {
  return judge_name(reply.view(), document{{"maxWireVersion", wire_version}}.view());
}

document listing(const array& rows, long id = 0) {
  return document{{"cursor", document{{"firstBatch", rows}, {"id", id}, {"ns", "shop.$cmd.listCollections"}}},
                  {"ok", 1.0}};
}

document listed(const char* type, const document& options) {
  return listing(array{document{{"name", "things"}, {"type", type}, {"options", options}}});
}

TEST(namespace_probe, a_plain_collection_K1) {
  EXPECT_EQ(judged(listed("collection", {})), cacheability::plain);
}

TEST(namespace_probe, a_collection_with_a_validator_is_plain_K1) {
  EXPECT_EQ(judged(listed("collection", document{{"validator", document()}})), cacheability::plain);
}

// So does mongod answer; a find's reply has the batch first.
TEST(namespace_probe, a_plain_collection_whose_listing_begins_with_the_cursor_id_K1) {
  const document row{{"name", "things"}, {"type", "collection"}, {"options", document()}};
  const document cursor{{"id", 0L}, {"ns", "shop.$cmd.listCollections"}, {"firstBatch", array{row}}};
  EXPECT_EQ(judged(document{{"cursor", cursor}, {"ok", 1.0}}), cacheability::plain);
  EXPECT_EQ(judged_by_name(document{{"cursor", cursor}, {"ok", 1.0}}), cacheability::ids_only);
}

TEST(namespace_probe, of_a_name_alone_servers_that_do_not_tell_what_a_capped_collection_drops_say_too_little_K1) {
  EXPECT_EQ(judged_by_name(listed("collection", {}), 13), cacheability::ids_only);
  EXPECT_EQ(judged_by_name(listed("collection", {}), 12), cacheability::not_cacheable);
  EXPECT_EQ(judge_name(listed("collection", {}).view(), {}), cacheability::not_cacheable);
}

TEST(namespace_probe, a_view_is_not_K1) {
  EXPECT_EQ(judged(listed("view", {})), cacheability::not_cacheable);
}

TEST(namespace_probe, a_time_series_is_not_K1) {
  EXPECT_EQ(judged(listed("timeseries", {})), cacheability::not_cacheable);
}

TEST(namespace_probe, a_default_collation_is_not_K1) {
  EXPECT_EQ(judged(listed("collection", document{{"collation", document()}})), cacheability::not_cacheable);
}

TEST(namespace_probe, a_capped_collection_is_not_K1) {
  EXPECT_EQ(judged(listed("collection", document{{"capped", true}})), cacheability::not_cacheable);
}

TEST(namespace_probe, an_option_that_is_not_known_is_not_K1) {
  EXPECT_EQ(judged(listed("collection", document{{"future", 1}})), cacheability::not_cacheable);
}

TEST(namespace_probe, an_entry_without_a_type_is_not_K1) {
  EXPECT_EQ(judged(listing(array{document{{"name", "things"}}})), cacheability::not_cacheable);
}

TEST(namespace_probe, options_that_are_no_document_are_not_K1) {
  EXPECT_EQ(judged(listing(array{document{{"type", "collection"}, {"options", 1}}})), cacheability::not_cacheable);
}

TEST(namespace_probe, no_entry_is_a_missing_collection_K1) {
  EXPECT_EQ(judged(listing(array{})), cacheability::missing);
}

TEST(namespace_probe, a_refusal_clears_nothing_K1) {
  EXPECT_EQ(judged(document{{"ok", 0.0}, {"code", 13}}), cacheability::not_cacheable);
  EXPECT_EQ(judged_by_name(document{{"ok", 0.0}, {"code", 13}}), cacheability::not_cacheable);
}

TEST(namespace_probe, a_listing_that_goes_on_clears_nothing_K1) {
  EXPECT_EQ(judged(listing(array{}, 5)), cacheability::not_cacheable);
}

TEST(namespace_probe, by_its_name_a_collection_leaves_look_ups_by_id_and_a_view_nothing_K1) {
  const auto of_type = [](const char* type) { return listing(array{document{{"name", "things"}, {"type", type}}}); };
  EXPECT_EQ(judged_by_name(of_type("collection")), cacheability::ids_only);
  EXPECT_EQ(judged_by_name(of_type("view")), cacheability::not_cacheable);
  EXPECT_EQ(judged_by_name(of_type("timeseries")), cacheability::not_cacheable);
  EXPECT_EQ(judged_by_name(listing(array{})), cacheability::missing);
}

}  // namespace
}  // namespace mongocached::daemon
