#include "daemon/own_command.hpp"

#include <gtest/gtest.h>

#include "support/message_builders.hpp"

namespace mongocached::daemon {
namespace {

using namespace test_support;  // NOLINT: tests read as JSON
using code = protocol::error_code;

const document question{{"find", "films"}, {"filter", document{{"_id", 1}}}};

class OwnCommand : public ::testing::Test {
 protected:
  std::variant<own_command, refusal> parsed(const document& command, const std::vector<sequence>& sequences = {}) {
    message_ = op_msg_message(command, {}, sequences);
    protocol::op_msg message;
    EXPECT_EQ(protocol::parse_op_msg(message_, message), protocol::op_msg_error::none);
    protocol::command_view view;
    EXPECT_EQ(protocol::view_command(message, 1, view), protocol::command_error::none);
    return parse_own_command(view);
  }
  code verdict(const document& command, const std::vector<sequence>& sequences = {}) {
    const auto out = parsed(command, sequences);
    const auto* const refused = std::get_if<refusal>(&out);
    return refused != nullptr ? refused->code : code::none;
  }
  std::string why(const document& command) { return std::get<refusal>(parsed(command)).text; }

 private:
  byte_buffer message_;
};

TEST_F(OwnCommand, one_asks_for_the_status) {
  for (const value& one : {value(1), value(1L), value(1.0)}) {
    const auto out = parsed(document{{"mongocached", one}, {"$db", "admin"}});
    EXPECT_EQ(std::get<own_command>(out).what, own_command::kind::status);
  }
}

TEST_F(OwnCommand, explain_holds_the_command_in_question) {
  const auto out = parsed(document{{"mongocached", "explain"}, {"command", question}, {"$db", "shop"}});
  const auto& command = std::get<own_command>(out);
  EXPECT_EQ(command.what, own_command::kind::explain);
  EXPECT_TRUE(protocol::equal(command.explained.bytes(), question.bytes()));
}

TEST_F(OwnCommand, what_drivers_add_is_accepted) {
  EXPECT_EQ(verdict(document{{"mongocached", 1},
                             {"lsid", document{{"id", binary{4, byte_buffer(16)}}}},
                             {"$clusterTime", document()},
                             {"$readPreference", document{{"mode", "primary"}}},
                             {"readConcern", document{{"level", "local"}}},
                             {"apiVersion", "1"},
                             {"comment", "why"},
                             {"maxTimeMS", 100},
                             {"$db", "admin"}}),
            code::none);
}

TEST_F(OwnCommand, the_status_is_of_database_admin) {
  EXPECT_EQ(verdict(document{{"mongocached", 1}, {"$db", "shop"}}), code::unauthorized);
}

TEST_F(OwnCommand, an_unknown_argument_names_what_is_allowed) {
  for (const value& first : {value(0), value(2), value(1.5), value(true), value("status"), value(""), value(question),
                             value(null_value{}), value(array{1})}) {
    const document command{{"mongocached", first}, {"$db", "admin"}};
    EXPECT_EQ(verdict(command), code::invalid_options);
    EXPECT_NE(why(command).find("allowed are 1"), std::string::npos);
  }
}

TEST_F(OwnCommand, an_unknown_field_is_named) {
  const document status{{"mongocached", 1}, {"verbose", true}, {"$db", "admin"}};
  EXPECT_EQ(verdict(status), code::invalid_options);
  EXPECT_NE(why(status).find("'verbose'"), std::string::npos);
  const document explain{{"mongocached", "explain"}, {"command", question}, {"verbosity", "all"}, {"$db", "shop"}};
  EXPECT_EQ(verdict(explain), code::invalid_options);
  EXPECT_NE(why(explain).find("'verbosity'"), std::string::npos);
}

TEST_F(OwnCommand, an_unknown_field_that_is_no_utf8_is_mended_in_the_error) {
  const document command{{"mongocached", 1}, {"\xff", 1}, {"$db", "admin"}};
  EXPECT_NE(why(command).find("'\xef\xbf\xbd'"), std::string::npos);
}

TEST_F(OwnCommand, explain_needs_one_command) {
  EXPECT_EQ(verdict(document{{"mongocached", "explain"}, {"$db", "shop"}}), code::failed_to_parse);
  EXPECT_EQ(verdict(document{{"mongocached", "explain"}, {"command", 1}, {"$db", "shop"}}), code::failed_to_parse);
  EXPECT_EQ(verdict(document{{"mongocached", "explain"}, {"command", array{1}}, {"$db", "shop"}}),
            code::failed_to_parse);
  EXPECT_EQ(
      verdict(document{{"mongocached", "explain"}, {"command", question}, {"command", question}, {"$db", "shop"}}),
      code::failed_to_parse);
}

TEST_F(OwnCommand, not_in_a_transaction) {
  for (const auto& [field, content] :
       std::vector<document::field>{{"txnNumber", 1L}, {"autocommit", false}, {"startTransaction", true}}) {
    EXPECT_EQ(verdict(document{{"mongocached", 1}, {field, content}, {"$db", "admin"}}),
              code::operation_not_supported_in_transaction)
        << field;
  }
}

TEST_F(OwnCommand, no_document_sequence) {
  EXPECT_EQ(verdict(document{{"mongocached", 1}, {"$db", "admin"}}, {{"command", {question}}}), code::failed_to_parse);
}

TEST_F(OwnCommand, a_generic_field_twice_is_not_understood) {
  EXPECT_EQ(verdict(document{{"mongocached", 1}, {"$db", "admin"}, {"$db", "admin"}}), code::failed_to_parse);
}

TEST(MessageOf, is_what_the_client_would_send) {
  const auto made = message_of(question.view(), "shop", 7);
  const document expected{{"find", "films"}, {"filter", document{{"_id", 1}}}, {"$db", "shop"}};
  EXPECT_EQ(std::get<byte_buffer>(made), op_msg_message(expected, {.request_id = 7}));
}

TEST(MessageOf, keeps_the_database_that_it_names) {
  const document same{{"find", "films"}, {"$db", "shop"}};
  EXPECT_EQ(std::get<byte_buffer>(message_of(same.view(), "shop", 1)), op_msg_message(same));
  EXPECT_EQ(std::get<refusal>(message_of(same.view(), "other", 1)).code, code::invalid_options);
}

TEST(MessageOf, refuses_what_is_no_command) {
  EXPECT_EQ(std::get<refusal>(message_of(document().view(), "shop", 1)).code, code::failed_to_parse);
  auto bytes = question.bytes();
  bytes[4] = 0x42;  // no type
  EXPECT_EQ(std::get<refusal>(message_of(must(bson_view::parse(bytes)), "shop", 1)).code, code::failed_to_parse);
}

}  // namespace
}  // namespace mongocached::daemon
