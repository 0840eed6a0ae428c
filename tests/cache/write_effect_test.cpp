// What the plan of a write tells of its effect on lists (coherence W3).
#include "cache/write_effect.hpp"

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

using kind = list_write::kind;

// The one target of a command against shop.things.
class planned {
 public:
  explicit planned(const document& body, const std::vector<sequence>& sequences = {}) : command_(body, {}, sequences) {
    plan_write(command_.view(), true, plan_);
    EXPECT_EQ(plan_.targets.size(), 1U);
  }
  [[nodiscard]] const write_target& target() const { return plan_.targets.front(); }
  [[nodiscard]] const planned_change& change() const {
    EXPECT_TRUE(target().is_judged());
    EXPECT_EQ(target().changes.size(), 1U);
    return target().changes.front();
  }

 private:
  parsed_command command_;
  write_plan plan_;
};

document update_by(const document& filter, const value& modification, bool upsert = false) {
  document statement{{"q", filter}, {"u", modification}};
  if (upsert) statement = with(statement, "upsert", true);
  return {{"update", "things"}, {"updates", array{value(statement)}}, {"$db", "shop"}};
}

byte_buffer bytes_of(const document& d) {
  return {d.bytes().begin(), d.bytes().end()};
}

TEST(WriteEffect, an_insert_tells_its_documents) {
  const document tea{{"_id", 1}, {"kind", "tea"}};
  const planned p({{"insert", "things"}, {"documents", array{value(tea)}}, {"$db", "shop"}});
  EXPECT_EQ(p.change().what, kind::inserted);
  EXPECT_EQ(p.change().document, bytes_of(tea));
}

TEST(WriteEffect, an_update_tells_the_paths_that_it_sets) {
  const planned p(
      update_by({{"_id", 1}}, document{{"$set", document{{"a.b", 1}, {"c", 2}}}, {"$inc", document{{"d", 1}}}}));
  EXPECT_EQ(p.change().what, kind::updated);
  EXPECT_EQ(p.change().document, bytes_of({{"_id", 1}}));
  EXPECT_EQ(p.change().paths, (std::vector<std::string>{"a.b", "c", "d"}));
}

TEST(WriteEffect, a_rename_tells_both_names) {
  const planned p(update_by({{"_id", 1}}, document{{"$rename", document{{"a", "b"}}}}));
  EXPECT_EQ(p.change().paths, (std::vector<std::string>{"a", "b"}));
}

TEST(WriteEffect, a_replacement_tells_the_document_with_its_id) {
  const planned p(update_by({{"_id", 1}}, document{{"kind", "pot"}}));
  EXPECT_EQ(p.change().what, kind::replaced);
  EXPECT_EQ(p.change().document, bytes_of({{"_id", 1}, {"kind", "pot"}}));
}

TEST(WriteEffect, a_delete_tells_each_id) {
  const planned p({{"delete", "things"},
                   {"deletes", array{document{{"q", document{{"_id", document{{"$in", array{1, 2}}}}}}, {"limit", 0}}}},
                   {"$db", "shop"}});
  ASSERT_TRUE(p.target().is_judged());
  EXPECT_EQ(p.target().changes.size(), 2U);
  EXPECT_EQ(p.target().changes[1].what, kind::deleted);
  EXPECT_EQ(p.target().changes[1].document, bytes_of({{"_id", 2}}));
}

TEST(WriteEffect, find_and_modify_tells_what_it_does) {
  const planned removes(
      {{"findAndModify", "things"}, {"query", document{{"_id", 1}}}, {"remove", true}, {"$db", "shop"}});
  EXPECT_EQ(removes.change().what, kind::deleted);
  const planned updates({{"findAndModify", "things"},
                         {"query", document{{"_id", 1}}},
                         {"update", document{{"$set", document{{"a", 1}}}}},
                         {"$db", "shop"}});
  EXPECT_EQ(updates.change().what, kind::updated);
}

TEST(WriteEffect, bulk_write_tells_what_it_does) {
  const planned p({{"bulkWrite", 1},
                   {"ops", array{document{{"update", 0},
                                          {"filter", document{{"_id", 1}}},
                                          {"updateMods", document{{"$set", document{{"a", 1}}}}}}}},
                   {"nsInfo", array{document{{"ns", "shop.things"}}}},
                   {"$db", "admin"}});
  EXPECT_EQ(p.change().what, kind::updated);
}

TEST(WriteEffect, what_the_command_does_not_tell_is_left_to_the_stream) {
  const document set{{"$set", document{{"a", 1}}}};
  const std::vector<document> commands{
      update_by({{"_id", 1}}, set, true),
      update_by({{"_id", 1}}, array{value(set)}),
      update_by({{"_id", 1}}, document{{"$novelty", document{{"a", 1}}}}),
      update_by({{"_id", 1}}, document{{"$set", 1}}),
      update_by({{"_id", 1}}, document{{"$rename", document{{"a", 1}}}}),
      {{"findAndModify", "things"},
       {"query", document{{"_id", 1}}},
       {"remove", true},
       {"update", set},
       {"$db", "shop"}},
      {{"findAndModify", "things"}, {"query", document{{"_id", 1}}}, {"$db", "shop"}},
      {{"update", "things"},
       {"updates", array{document{{"q", document{{"_id", 1}}}, {"u", set}},
                         document{{"q", document{{"_id", 2}}}, {"u", array{value(set)}}},
                         document{{"q", document{{"_id", 3}}}, {"u", set}}}},
       {"$db", "shop"}},
  };
  for (const auto& command : commands) {
    const planned p(command);
    EXPECT_EQ(p.target().reach, extent::keys);
    EXPECT_FALSE(p.target().is_judged());
  }
}

TEST(WriteEffect, a_write_of_unknown_keys_tells_nothing) {
  const planned p(update_by({{"kind", "tea"}}, document{{"$set", document{{"a", 1}}}}));
  EXPECT_EQ(p.target().reach, extent::collection);
  EXPECT_FALSE(p.target().is_judged());
}

}  // namespace
}  // namespace mongocached::cache
