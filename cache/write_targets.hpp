// Collects what a command may change into a write_plan: one target a namespace, its extent growing as need be. Private
// to write_plan. What is handed in is a client's: a name that is no namespace reaches everything, an `_id` or filter
// that is not modelled reaches the collection (coherence W4).
#pragma once

#include <optional>

#include "cache/write_effect.hpp"

namespace mongocached::cache {

class write_targets {
 public:
  // More namespaces than this in one command reach everything.
  static constexpr std::size_t max_targets = 64;

  explicit write_targets(write_plan& plan) noexcept : plan_(plan) {}

  // What reaches `admin` may change users and roles: the plan becomes one of authorization.
  void add_everything(bool ddl);
  void add_database(std::string_view db, bool ddl);
  // system.* reaches its database and counts as DDL (system.views).
  void add_collection(std::string_view db, std::string_view collection, bool ddl = false);
  // "db.collection".
  void add_namespace(std::string_view name, bool ddl);
  // One document, as it is inserted.
  void add_document(std::string_view db, std::string_view collection, protocol::bson_view document);
  // The documents that a filter can match; empty: not known. `upsert`: or insert.
  void add_filter(std::string_view db, std::string_view collection, const std::optional<protocol::bson_view>& filter,
                  bool upsert, const write_effect& effect);

 private:
  [[nodiscard]] write_target* find_or_add(std::string_view db, std::string_view collection);
  [[nodiscard]] bool add_key(write_target& target, const protocol::bson_element& id, const write_effect& effect);
  [[nodiscard]] bool add_filter_keys(write_target& target, protocol::bson_view filter, bool upsert,
                                     const write_effect& effect);
  [[nodiscard]] bool add_condition_keys(write_target& target, const protocol::bson_element& id, bool upsert,
                                        const write_effect& effect);

  write_plan& plan_;
  std::size_t last_ = 0;  // index of the target found last
  std::size_t key_count_ = 0;
  bool everything_ = false;
};

// The element's text; empty if it is no string.
[[nodiscard]] std::string_view text_of(const std::optional<protocol::bson_element>& element) noexcept;

// "db.collection" in two; the collection is empty if there is no dot.
struct split_namespace {
  std::string_view db;
  std::string_view collection;
};
[[nodiscard]] split_namespace split(std::string_view name) noexcept;

}  // namespace mongocached::cache
