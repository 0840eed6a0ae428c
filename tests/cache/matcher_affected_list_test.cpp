#include "cache/matcher/affected_list.hpp"

#include "policy_support.hpp"

namespace mongocached::cache {
namespace {

// A list of things: {kind: "tea"}, the two cheapest.
struct shop_list {
  document filter{{"kind", "tea"}};
  document sort{{"price", 1}};
  document projection;
  array result{document{{"_id", 1}, {"kind", "tea"}, {"price", 3}},
               document{{"_id", 2}, {"kind", "tea"}, {"price", 5}}};
  std::int64_t limit = 2;
  std::int64_t skip = 0;
  bool collation = false;
  bool hint = false;
  bool in_flight = false;

  [[nodiscard]] bool changes(const list_write& write) const {
    step_budget budget(1'000'000);
    return changes({&write, 1}, budget);
  }
  [[nodiscard]] bool changes(std::span<const list_write> writes, step_budget& budget,
                             telling when = telling::in_order) const {
    const list_query query{filter.view(), sort.view(), projection.view(), limit, skip, collation, hint};
    const auto view = bson_view::parse(result.bytes());
    return write_set(writes, when).may_change(query, in_flight ? std::nullopt : view, budget);
  }
  [[nodiscard]] bool changes_on_insert(const document& d) const {
    return changes({list_write::kind::inserted, {}, d.view(), {}});
  }
  [[nodiscard]] bool changes_on_update(const value& id, std::vector<std::string_view> paths) const {
    const owned_element element(id);
    return changes({list_write::kind::updated, element.get(), {}, paths});
  }
  [[nodiscard]] bool changes_on_delete(const value& id) const {
    const owned_element element(id);
    return changes({list_write::kind::deleted, element.get(), {}, {}});
  }
};

shop_list changed(const std::function<void(shop_list&)>& change) {
  shop_list out;
  change(out);
  return out;
}

TEST(affected_list, a_replacement_keeps_the_type_of_the_id_that_is_stored) {
  const document now_tea{{"_id", 9}, {"kind", "tea"}};  // what is stored may be 9.0
  const auto by_type = changed([](auto& list) {
    list.filter = document{{"_id", document{{"$type", "double"}}}, {"kind", "tea"}};
    list.limit = 0;
  });
  EXPECT_TRUE(by_type.changes({list_write::kind::replaced, {}, now_tea.view(), {}}));
  EXPECT_FALSE(by_type.changes_on_insert(now_tea));
  const document parts{{"$and", array{document{{"_id", document{{"$not", document{{"$type", 1}}}}}}}}};
  const auto nested = changed([&](auto& list) { list.filter = parts; });
  EXPECT_TRUE(nested.changes({list_write::kind::replaced, {}, now_tea.view(), {}}));
}

TEST(affected_list, a_document_that_does_not_match_leaves_it) {
  const shop_list list;
  EXPECT_FALSE(list.changes_on_insert({{"_id", 9}, {"kind", "coffee"}, {"price", 1}}));
  EXPECT_TRUE(list.changes_on_insert({{"_id", 9}, {"kind", "tea"}, {"price", 1}}));
  EXPECT_TRUE(list.changes_on_insert({{"_id", 2}, {"kind", "coffee"}, {"price", 1}})) << "its _id is in the result";
  EXPECT_TRUE(list.changes_on_insert({{"kind", "coffee"}, {"price", 1}})) << "the server makes an _id up";
  EXPECT_TRUE(list.changes_on_insert({{"_id", 9}, {"kind", "coffee"}, {"t", timestamp{0}}}))
      << "the server sets a time";
  EXPECT_FALSE(list.changes_on_insert({{"_id", 9}, {"kind", "coffee"}, {"t", timestamp{1}}}));
  const document coffee{{"_id", 9}, {"kind", "coffee"}};
  EXPECT_FALSE(list.changes({list_write::kind::replaced, {}, coffee.view(), {}}));
  const document now_coffee{{"_id", 1}, {"kind", "coffee"}};
  EXPECT_TRUE(list.changes({list_write::kind::replaced, {}, now_coffee.view(), {}})) << "it was in the result";
}

TEST(affected_list, a_full_window_is_entered_by_the_sort_key_only) {
  const document dear{{"_id", 9}, {"kind", "tea"}, {"price", 6}};
  const document equal{{"_id", 9}, {"kind", "tea"}, {"price", 5.0}};
  const document cheap{{"_id", 9}, {"kind", "tea"}, {"price", 4}};
  const document free{{"_id", 9}, {"kind", "tea"}};
  const shop_list list;
  EXPECT_FALSE(list.changes_on_insert(dear));
  EXPECT_TRUE(list.changes_on_insert(equal)) << "equals come in any order";
  EXPECT_TRUE(list.changes_on_insert(cheap));
  EXPECT_TRUE(list.changes_on_insert(free)) << "missing sorts as null, in front";
  const auto descending = changed([](auto& l) { l.sort = {{"price", -1}}; });
  EXPECT_TRUE(descending.changes_on_insert(dear));
  EXPECT_FALSE(descending.changes_on_insert(cheap));
  const auto two_keys = changed([](auto& l) { l.sort = {{"price", 1}, {"_id", 1}}; });
  EXPECT_FALSE(two_keys.changes_on_insert(equal)) << "the second key decides";
  const auto negative = changed([](auto& l) { l.limit = -2; });
  EXPECT_FALSE(negative.changes_on_insert(dear));
}

// Somebody's deletion may have made room that nobody has told of.
TEST(affected_list, a_full_window_tells_nothing_of_a_write_that_is_told_ahead_of_others) {
  const document dear{{"_id", 9}, {"kind", "tea"}, {"price", 6}};
  const document coffee{{"_id", 9}, {"kind", "coffee"}, {"price", 6}};
  const shop_list list;
  for (const auto what : {list_write::kind::inserted, list_write::kind::replaced}) {
    step_budget budget(1'000'000);
    const list_write enters{what, {}, dear.view(), {}};
    const list_write does_not{what, {}, coffee.view(), {}};
    EXPECT_TRUE(list.changes({&enters, 1}, budget, telling::ahead));
    EXPECT_FALSE(list.changes({&enters, 1}, budget, telling::in_order));
    EXPECT_FALSE(list.changes({&does_not, 1}, budget, telling::ahead));
  }
}

// What the result has for an _id is not the document's.
TEST(affected_list, a_list_with_a_part_of_its_ids_is_changed_by_any_write) {
  const document whole{{"x", 1}, {"y", 2}};
  const document part{{"x", 1}};
  for (const auto& projection : {document{{"_id.x", 1}, {"price", 1}}, document{{"_id.y", 0}}}) {
    const auto list = changed([&](auto& l) {
      l.projection = projection;
      l.result = array{document{{"_id", part}, {"price", 3}}};
      l.limit = 0;
    });
    const document replacement{{"_id", whole}, {"kind", "coffee"}};
    EXPECT_TRUE(list.changes_on_update(whole, {"stock"}));
    EXPECT_TRUE(list.changes_on_delete(whole));
    EXPECT_TRUE(list.changes({list_write::kind::replaced, {}, replacement.view(), {}}));
  }
  const document id_alone{{"_id", 1}, {"price", 1}};
  EXPECT_FALSE(changed([&](auto& l) { l.projection = id_alone; }).changes_on_delete(9));
}

TEST(affected_list, where_the_window_s_end_is_not_known_a_match_counts) {
  const document dear{{"_id", 9}, {"kind", "tea"}, {"price", 6}};
  const std::vector<std::pair<const char*, shop_list>> lists{
      {"no limit", changed([](auto& l) { l.limit = 0; })},
      {"not full", changed([](auto& l) { l.limit = 3; })},
      {"no sort", changed([](auto& l) { l.sort = document{}; })},
      {"sort key excluded", changed([](auto& l) {
         l.projection = {{"price", 0}};
       })},
      {"sort key not included", changed([](auto& l) {
         l.projection = {{"kind", 1}};
       })},
      {"sort key in an array", changed([](auto& l) {
         l.sort = {{"tags", 1}, {"price", 1}};
       })},
      {"collation", changed([](auto& l) {
         l.sort = {{"kind", 1}, {"price", 1}};
         l.collation = true;
       })},
  };
  const auto tagged = with(dear, "tags", array{1});
  for (const auto& [what, list] : lists) EXPECT_TRUE(list.changes_on_insert(tagged)) << what;
  const auto included = changed([](auto& l) { l.projection = {{"price", 1}}; });
  EXPECT_FALSE(included.changes_on_insert(dear));
  const auto other_excluded = changed([](auto& l) { l.projection = {{"note", 0}}; });
  EXPECT_FALSE(other_excluded.changes_on_insert(dear));
}

TEST(affected_list, an_update_counts_by_its_paths) {
  const shop_list list;
  EXPECT_TRUE(list.changes_on_update(1, {"stock"})) << "in the result";
  EXPECT_TRUE(list.changes_on_update(1.0, {"stock"})) << "in the result, as another type of number";
  EXPECT_FALSE(list.changes_on_update(9, {"stock", "note.text"}));
  EXPECT_TRUE(list.changes_on_update(9, {"stock", "kind"})) << "filter";
  EXPECT_TRUE(list.changes_on_update(9, {"price.net"})) << "inside the sort key";
  EXPECT_TRUE(list.changes_on_update(decimal(95, -1), {"stock"})) << "an _id that is not modelled";
  const auto nested = changed([](auto& l) {
    l.filter = {{"$or", array{document{{"a.b", 1}}, document{{"c", document{{"$not", document{{"$gt", 1}}}}}}}}};
  });
  EXPECT_TRUE(nested.changes_on_update(9, {"a.0.b"}));
  EXPECT_TRUE(nested.changes_on_update(9, {"a"}));
  EXPECT_TRUE(nested.changes_on_update(9, {"c.d"}));
  EXPECT_FALSE(nested.changes_on_update(9, {"a.c"}));
  const auto expression = changed([](auto& l) { l.filter = {{"kind", regex("^t")}}; });
  EXPECT_FALSE(expression.changes_on_update(9, {"stock"})) << "a regular expression looks at its own path";
  EXPECT_TRUE(expression.changes_on_update(9, {"kind"}));
}

TEST(affected_list, an_update_of_unknown_documents_counts_by_the_projection_too) {
  const auto changes = [](const shop_list& list, std::vector<std::string_view> paths) {
    return list.changes({list_write::kind::updated, {}, {}, paths});
  };
  EXPECT_TRUE(changes({}, {"stock"})) << "whole documents";
  const auto included = changed([](auto& l) { l.projection = {{"price", 1}, {"tags.name", 1}}; });
  EXPECT_FALSE(changes(included, {"stock"}));
  EXPECT_TRUE(changes(included, {"tags.0.name"}));
  EXPECT_FALSE(changes(included, {"tags.0.size"}));
  const auto excluded = changed([](auto& l) { l.projection = {{"note", 0}}; });
  EXPECT_TRUE(changes(excluded, {"stock"}));
}

TEST(affected_list, a_deletion_counts_inside_only) {
  const shop_list list;
  EXPECT_TRUE(list.changes_on_delete(2));
  EXPECT_FALSE(list.changes_on_delete(9));
  EXPECT_FALSE(list.changes_on_delete("2"));
  EXPECT_TRUE(list.changes_on_delete(decimal(95, -1))) << "an _id that is not modelled";
  EXPECT_TRUE(list.changes({list_write::kind::deleted, {}, {}, {}})) << "some document";
}

TEST(affected_list, what_is_not_modelled_is_changed_by_anything) {
  const std::vector<std::pair<const char*, shop_list>> lists{
      {"in flight", changed([](auto& l) { l.in_flight = true; })},
      {"skip", changed([](auto& l) { l.skip = 1; })},
      {"hint", changed([](auto& l) { l.hint = true; })},
      {"$expr", changed([](auto& l) {
         l.filter = {{"$expr", true}};
       })},
      {"$expr inside", changed([](auto& l) {
         l.filter = {{"$and", array{document{{"$expr", true}}}}};
       })},
      {"$text", changed([](auto& l) {
         l.filter = {{"$text", document{}}};
       })},
      {"geo", changed([](auto& l) {
         l.filter = {{"at", document{{"$near", array{1, 2}}}}};
       })},
      {"unknown operator inside", changed([](auto& l) {
         l.filter = {{"a", document{{"$not", document{{"$new", 1}}}}}};
       })},
      {"odd path", changed([](auto& l) {
         l.filter = {{"a..b", 1}};
       })},
      {"$natural", changed([](auto& l) {
         l.sort = {{"$natural", 1}};
       })},
      {"$meta", changed([](auto& l) {
         l.sort = {{"s", document{{"$meta", "textScore"}}}};
       })},
      {"computed", changed([](auto& l) {
         l.projection = {{"x", "$y"}};
       })},
      {"computed _id", changed([](auto& l) {
         l.projection = {{"_id", document{{"$slice", 1}}}};
       })},
      {"no _id", changed([](auto& l) {
         l.result = {document{{"kind", "tea"}}};
       })},
      {"no documents", changed([](auto& l) { l.result = {5}; })},
      {"malformed", changed([](auto& l) {
         l.result = {raw_value{bson_type::string, {9, 0, 0, 0, 0}}};
       })},
  };
  const document coffee{{"_id", 9}, {"kind", "coffee"}, {"price", 9}, {"at", 1}};
  for (const auto& [what, list] : lists) {
    EXPECT_TRUE(list.changes_on_delete(9)) << what;
    EXPECT_TRUE(list.changes_on_insert(coffee)) << what;
    EXPECT_TRUE(list.changes_on_update(9, {"stock"})) << what;
  }
  EXPECT_TRUE(shop_list{}.changes({}));
}

// Teas of a thousand sorts, without a limit.
class AffectedLongList : public ::testing::Test {
 protected:
  static constexpr std::size_t members = 1000;

  AffectedLongList() {
    byte_buffer bytes;
    {
      protocol::bson_builder builder(bytes);
      for (std::size_t i = 0; i < members; ++i) {
        builder.append_document(std::to_string(i), tea(static_cast<int>(i)).view());
      }
    }
    list.result = array(std::move(bytes));
    list.limit = 0;
  }
  static document tea(int id) { return {{"_id", id}, {"kind", "tea"}}; }
  static list_write insert(const document& d, bool new_id = false) {
    return {list_write::kind::inserted, {}, d.view(), {}, new_id};
  }
  bool changes(const std::vector<list_write>& writes) { return list.changes(writes, budget); }
  [[nodiscard]] std::size_t spent() const { return plenty - budget.left(); }

  static constexpr std::size_t plenty = 10'000'000;
  step_budget budget{plenty};
  shop_list list;
};

// A thousand insertions beside sixty lists of two thousand documents took 25 s.
TEST_F(AffectedLongList, is_walked_once_for_all_writes) {
  std::vector<document> pots;
  for (int i = 0; i < 100; ++i) pots.push_back({{"_id", 5000 + i}, {"kind", "pot"}});
  std::vector<list_write> writes;
  for (const auto& pot : pots) writes.push_back(insert(pot));
  EXPECT_FALSE(changes(writes));
  EXPECT_GE(spent(), members);
  EXPECT_LT(spent(), members + 100 * 10);
  const document inside{{"_id", 500}, {"kind", "pot"}};
  writes.push_back(insert(inside));
  EXPECT_TRUE(changes(writes)) << "one of them is in the result";
}

TEST_F(AffectedLongList, is_not_walked_where_the_filter_decides) {
  const auto more = tea(5000);
  EXPECT_TRUE(changes({insert(more)}));
  EXPECT_LT(spent(), 20U);
}

TEST_F(AffectedLongList, is_not_searched_for_an_id_that_is_new) {
  const document pot{{"_id", 5000}, {"kind", "pot"}};
  EXPECT_FALSE(changes({insert(pot, true)}));
  EXPECT_LT(spent(), 20U);
  const auto more = tea(5000);
  EXPECT_TRUE(changes({insert(more, true)}));
}

TEST_F(AffectedLongList, counts_as_changed_when_the_budget_is_spent) {
  const document pot{{"_id", 5000}, {"kind", "pot"}};
  budget = step_budget(members / 2);
  EXPECT_TRUE(changes({insert(pot)}));
  EXPECT_TRUE(budget.is_spent());
}

TEST_F(AffectedLongList, a_document_too_large_for_the_budget_is_not_matched) {
  const document pot{{"_id", 5000}, {"kind", "pot"}, {"text", std::string(1'000'000, 'x')}};
  budget = step_budget(members);
  EXPECT_TRUE(changes({insert(pot, true)}));
}

TEST(affected_list, ids_without_a_key_are_compared_one_by_one) {
  const auto odd = changed([](auto& l) {
    l.result = array{document{{"_id", decimal(5, -1)}, {"kind", "tea"}}, document{{"_id", 2}, {"kind", "tea"}}};
  });
  EXPECT_FALSE(odd.changes_on_delete("a"));
  EXPECT_TRUE(odd.changes_on_delete(0.5)) << "it may be equal";
  EXPECT_TRUE(odd.changes_on_delete(2L));
  const shop_list plain;
  EXPECT_FALSE(plain.changes_on_delete(null_value{}));
  EXPECT_TRUE(plain.changes_on_delete(decimal(20, -1)));
}

TEST(affected_list, an_empty_result_has_no_ids_to_miss) {
  const auto empty = changed([](auto& l) { l.result = {}; });
  EXPECT_FALSE(empty.changes_on_delete(1));
  EXPECT_TRUE(empty.changes_on_insert({{"_id", 9}, {"kind", "tea"}}));
  EXPECT_FALSE(empty.changes_on_insert({{"_id", 9}, {"kind", "coffee"}}));
}

}  // namespace
}  // namespace mongocached::cache
