// Asks the matcher, for tests that compare it with a real server. Reads BSON documents one behind the other from
// standard input, answers each with a line:
//   {f: filter, d: [documents]}                                 a letter a document: y, n, or u (does not know)
//   {q: {filter, sort, projection, limit}, r: [result],
//    w: {what: "inserted"|"replaced"|"updated"|"deleted", document, id, paths: [...]}}
//                                                               c: the write may change the result; s: it stays
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "cache/matcher/affected_list.hpp"
#include "cache/matcher/filter_match.hpp"

namespace {

using mongocached::cache::list_query;
using mongocached::cache::list_write;
using mongocached::cache::match;
using mongocached::protocol::bson_cursor;
using mongocached::protocol::bson_element;
using mongocached::protocol::bson_view;

bson_view part(bson_view from, std::string_view name) {
  const auto found = from.find(name);
  return found ? found->document().value_or(bson_view{}) : bson_view{};
}

std::string match_all(bson_view question) {
  std::string out;
  bson_element element;
  for (bson_cursor cursor(part(question, "d")); cursor.next(element);) {
    switch (mongocached::cache::matches(part(question, "f"), element.document().value_or(bson_view{}))) {
      case match::yes:
        out += 'y';
        break;
      case match::no:
        out += 'n';
        break;
      case match::unknown:
        out += 'u';
        break;
    }
  }
  return out;
}

list_write::kind kind_of(std::string_view what) {
  if (what == "inserted") return list_write::kind::inserted;
  if (what == "replaced") return list_write::kind::replaced;
  if (what == "updated") return list_write::kind::updated;
  return what == "deleted" ? list_write::kind::deleted : list_write::kind::unknown;
}

std::string judge(bson_view question) {
  const auto asked = part(question, "q");
  list_query query;
  query.filter = part(asked, "filter");
  query.sort = part(asked, "sort");
  query.projection = part(asked, "projection");
  if (const auto limit = asked.find("limit")) query.limit = limit->integer().value_or(0);
  const auto told = part(question, "w");
  list_write write;
  if (const auto what = told.find("what")) write.what = kind_of(what->text().value_or(""));
  write.document = part(told, "document");
  write.id = told.find("id");
  std::vector<std::string_view> paths;
  bson_element element;
  for (bson_cursor cursor(part(told, "paths")); cursor.next(element);) paths.push_back(element.text().value_or(""));
  write.paths = paths;
  mongocached::cache::step_budget budget(1'000'000'000);
  return mongocached::cache::write_set({&write, 1}).may_change(query, part(question, "r"), budget) ? "c" : "s";
}

}  // namespace

int main() {
  std::vector<std::uint8_t> all;
  std::uint8_t buffer[1 << 16];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, stdin)) all.insert(all.end(), buffer, buffer + size);
  mongocached::protocol::byte_view rest(all);
  while (!rest.empty()) {
    const auto question = bson_view::parse_front(rest);
    if (!question || !question->validate()) return 1;
    rest = rest.subspan(question->size());
    std::puts((question->find("f") ? match_all(*question) : judge(*question)).c_str());
  }
  return 0;
}
