#include "daemon/control/cluster_identity.hpp"

#include <gtest/gtest.h>

#include <array>

#include "daemon/control/driver_runtime.hpp"
#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using test_support::array;
using test_support::binary;
using test_support::document;

constexpr std::string_view hex = "00112233445566778899aabbccddeeff";
constexpr std::uint8_t uuid_subtype = 4;

protocol::byte_buffer uuid_bytes() {
  return {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
}

document listed(std::string_view name, const document& info) {
  return document{{"name", name}, {"type", "collection"}, {"options", document()}, {"info", info}};
}

document with_uuid(std::uint8_t subtype, protocol::byte_buffer bytes) {
  return listed("system.version", document{{"readOnly", false}, {"uuid", binary{subtype, std::move(bytes)}}});
}

document reply(const array& batch, std::int64_t cursor = 0) {
  const document body{{"firstBatch", batch}, {"id", cursor}, {"ns", "admin.$cmd.listCollections"}};
  return document{{"cursor", body}, {"ok", 1.0}};
}

std::optional<std::string> read(const document& from) {
  return read_fingerprint(from.bytes());
}

TEST(Fingerprint, IsTheUuidOfSystemVersion) {
  EXPECT_EQ(read(reply(array{with_uuid(uuid_subtype, uuid_bytes())})), hex);
}

TEST(Fingerprint, IsFoundAmongOtherCollections) {
  const auto other = listed("system.users", document{{"uuid", binary{uuid_subtype, protocol::byte_buffer(16, 7)}}});
  EXPECT_EQ(read(reply(array{other, with_uuid(uuid_subtype, uuid_bytes()), other})), hex);
  EXPECT_EQ(read(reply(array{other})), "");
}

TEST(Fingerprint, ThereIsNoneWhereNoneIsListed) {
  EXPECT_EQ(read(reply(array{})), "");
  EXPECT_EQ(read(reply(array{document{{"name", "system.version"}, {"type", "collection"}}})), "");
  EXPECT_EQ(read(reply(array{listed("system.version", document{{"readOnly", false}})})), "");
}

TEST(Fingerprint, WhatIsNoUuidIsNone) {
  EXPECT_EQ(read(reply(array{with_uuid(3, uuid_bytes())})), "");
  EXPECT_EQ(read(reply(array{with_uuid(uuid_subtype, protocol::byte_buffer(15, 1))})), "");
  EXPECT_EQ(read(reply(array{with_uuid(uuid_subtype, protocol::byte_buffer(17, 1))})), "");
  EXPECT_EQ(read(reply(array{with_uuid(uuid_subtype, {})})), "");
  EXPECT_EQ(read(reply(array{listed("system.version", document{{"uuid", hex}})})), "");
}

TEST(Fingerprint, NilUuidOfAnEmulatorTellsNoClustersApart) {
  EXPECT_EQ(read(reply(array{with_uuid(uuid_subtype, protocol::byte_buffer(16, 0))})), "");
}

TEST(Fingerprint, IsNotDeniedByTheFirstOfSeveralBatches) {
  EXPECT_EQ(read(reply(array{}, 5)), std::nullopt);
  EXPECT_EQ(read(reply(array{with_uuid(uuid_subtype, uuid_bytes())}, 5)), hex);
  EXPECT_EQ(read(document{{"cursor", document{{"firstBatch", array{}}}}, {"ok", 1.0}}), std::nullopt);
}

TEST(Fingerprint, MalformedRepliesTellNothing) {
  EXPECT_EQ(read(document{{"ok", 1.0}}), std::nullopt);
  EXPECT_EQ(read(document{{"cursor", "x"}, {"ok", 1.0}}), std::nullopt);
  EXPECT_EQ(read(document{{"cursor", document{{"firstBatch", document()}, {"id", 0L}}}, {"ok", 1.0}}), std::nullopt);
  EXPECT_EQ(read(document{{"cursor", document{{"firstBatch", array{1}}, {"id", 0L}}}, {"ok", 1.0}}), std::nullopt);
  EXPECT_EQ(read(document{{"cursor", document{{"firstBatch", array{}}, {"id", 0L}}}, {"ok", 0.0}}), std::nullopt);
  EXPECT_EQ(read(document{{"cursor", document{{"firstBatch", array{}}, {"id", 0L}}}}), std::nullopt);
}

TEST(Fingerprint, ReplyCutAnywhereTellsNothing) {
  const auto whole = reply(array{with_uuid(uuid_subtype, uuid_bytes())});
  const auto& bytes = whole.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(read_fingerprint(protocol::byte_view(bytes).first(size)), std::nullopt) << size;
  }
}

TEST(Fingerprint, ReplyWithAnyByteChangedIsReadWithoutHarm) {
  const auto whole = reply(array{with_uuid(uuid_subtype, uuid_bytes())});
  for (std::size_t at = 0; at < whole.bytes().size(); ++at) {
    auto bytes = whole.bytes();
    bytes[at] ^= 0xff;
    const auto found = read_fingerprint(bytes);
    EXPECT_TRUE(!found || found->empty() || found->size() == hex.size()) << at;
  }
}

TEST(Fingerprint, OnlyRefusalsThatLastAreFinal) {
  for (const int code : {13, 59, 115, 238, 303, 323, 8000}) EXPECT_TRUE(is_final_refusal(code)) << code;
  // No code, HostUnreachable, AuthenticationFailed, ExceededTimeLimit, NotWritablePrimary, PrimarySteppedDown,
  // ReauthenticationRequired, NotPrimaryNoSecondaryOk.
  for (const int code : {0, 6, 18, 262, 10107, 189, 391, 13435}) EXPECT_FALSE(is_final_refusal(code)) << code;
}

class ClusterId : public ::testing::Test {
 protected:
  static upstream_uri parse(std::string_view text) {
    std::string error;
    auto uri = parse_upstream_uri(text, error);
    if (!uri) throw std::runtime_error(error);
    return *uri;
  }
  static upstream_snapshot of_set(std::string name) {
    upstream_snapshot out;
    out.set_name = std::move(name);
    return out;
  }

  driver_runtime runtime_{nullptr};
};

TEST_F(ClusterId, DependsOnSetSeedsAndFingerprintOnly) {
  const std::string id = cluster_id(parse("mongodb://a,b/"), of_set("rs"), "f");
  EXPECT_EQ(id.size(), 16U);
  EXPECT_EQ(cluster_id(parse("mongodb://u:p@B:27017,a/?replicaSet=rs"), of_set("rs"), "f"), id);
  EXPECT_NE(cluster_id(parse("mongodb://a,c/"), of_set("rs"), "f"), id);
  EXPECT_NE(cluster_id(parse("mongodb://a,b/"), of_set("other"), "f"), id);
  EXPECT_NE(cluster_id(parse("mongodb+srv://x.example.net/"), of_set("rs"), "f"),
            cluster_id(parse("mongodb+srv://y.example.net/"), of_set("rs"), "f"));
}

TEST_F(ClusterId, ClustersThatGoByTheSameNameDiffer) {
  const auto uri = parse("mongodb://mongo/?directConnection=true");
  const auto production = cluster_id(uri, of_set(""), std::string(hex));
  EXPECT_NE(cluster_id(uri, of_set(""), std::string(32, '1')), production);
  EXPECT_NE(cluster_id(uri, of_set(""), ""), production);
}

}  // namespace
}  // namespace mongocached::daemon
