#include "cache/write_outputs.hpp"

namespace mongocached::cache {
namespace {

using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::command_view;

// $out and $merge name their target as "collection" or {db, coll}.
void add_output(const command_view& command, const bson_element& target, bool ddl, write_targets& to) {
  if (target.is(bson_type::string)) return to.add_collection(command.db, text_of(target), ddl);
  const auto document = target.object();
  if (!document) return to.add_everything(ddl);
  const auto collection = text_of(document->find("coll"));
  if (collection.empty()) return to.add_everything(ddl);
  const auto db = document->find("db");
  to.add_collection(db ? text_of(db) : command.db, collection, ddl);
}

// False if the stage could not be read.
bool plan_stage(const command_view& command, const bson_element& stage, write_targets& to) {
  const auto document = stage.object();
  if (!document) return false;
  bson_element element;
  bson_cursor cursor(*document);
  while (cursor.next(element)) {
    if (element.name == "$out") add_output(command, element, true, to);
    if (element.name == "$merge") {
      const auto options = element.object();
      const auto into = options ? options->find("into") : std::nullopt;
      add_output(command, into ? *into : element, false, to);
    }
  }
  return !cursor.failed();
}

bool plan_pipeline(const command_view& command, write_targets& to) {
  std::optional<bson_view> pipeline;
  bson_element element;
  bson_cursor body(command.message.body);
  while (body.next(element)) {
    if (element.name != "pipeline") continue;
    if (pipeline || !element.is(bson_type::array)) return false;
    pipeline = element.document();
  }
  if (!pipeline || body.failed() || command.message.sequence_count != 0) return false;
  bson_cursor stages(*pipeline);
  while (stages.next(element)) {
    if (!plan_stage(command, element, to)) return false;
  }
  return !stages.failed();
}

}  // namespace

void plan_aggregate(const command_view& command, write_targets& to, write_plan& out) {
  if (!plan_pipeline(command, to)) to.add_everything(true);
  if (out.targets.empty()) {
    out.kind = command_kind::read;
    return;
  }
  const auto cursor = command.message.body.find("cursor");
  const auto options = cursor ? cursor->object() : std::nullopt;
  const auto size = options ? options->find("batchSize") : std::nullopt;
  // Below one in whatever number type; what is no number says nothing for certain either.
  out.deferred = size && !(size->number().value_or(0) >= 1);
}

// out: "collection" or {replace|merge|reduce: "collection", db: ...} or {inline: 1}.
void plan_map_reduce(const command_view& command, write_targets& to, write_plan& out) {
  const auto output = command.message.body.find("out");
  if (!output) return to.add_everything(true);
  if (output->is(bson_type::string)) return to.add_collection(command.db, text_of(output), true);
  const auto document = output->object();
  if (!document) return to.add_everything(true);
  const auto db = document->find("db");
  bool is_inline = true;
  bool is_known = true;
  bson_element element;
  bson_cursor fields(*document);
  while (fields.next(element)) {
    if (element.name == "replace" || element.name == "merge" || element.name == "reduce") {
      is_inline = false;
      to.add_collection(db ? text_of(db) : command.db, text_of(element), true);
    } else if (element.name != "inline" && element.name != "db" && element.name != "sharded" &&
               element.name != "nonAtomic") {
      is_known = false;  // `normal` of old servers is another name of `replace`
    }
  }
  if (fields.failed() || !is_known || (is_inline && !document->find("inline"))) return to.add_everything(true);
  if (is_inline) out.kind = command_kind::read;
}

}  // namespace mongocached::cache
