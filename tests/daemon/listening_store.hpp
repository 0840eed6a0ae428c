#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cache/store/shared_store.hpp"

namespace mongocached::daemon {

// Keeps what it is told.
class listening_store final : public cache::shared_store {
 public:
  void get(std::string_view, cache::key_kind, std::span<const cache::key_view>,
           std::function<void(cache::get_result)>) override {}
  void lease(std::string_view, cache::key_kind, std::span<const cache::key_view>,
             std::function<void(cache::lease_result)>) override {}
  void release(std::string_view, cache::key_kind, std::span<const cache::key_view>,
               std::span<const cache::lease_token>) override {}
  void fill(std::string_view, cache::key_kind, const cache::generation_token&, std::span<const cache::fill_item>,
            std::function<void(std::span<const cache::fill_outcome>)>) override {}
  void invalidate(cache::invalidation what, std::function<void(cache::store_status)> done) override {
    told.push_back((what.everything ? "everything" : what.ns) + (what.announced ? ", taken back" : ""));
    done(cache::store_status::ok);
  }
  void get_checked(std::string_view, std::span<const cache::key_view>,
                   std::function<void(cache::get_result)>) override {}
  void announce(const cache::invalidation&, std::function<void(cache::store_status)>) override {
    if (on_announce) on_announce();
  }
  void load_mark(std::function<void(cache::store_status, cache::coverage_mark)>) override {}
  void save_mark(const cache::coverage_mark&, std::function<void(cache::store_status)>) override {}

  std::vector<std::string> told;
  std::function<void()> on_announce;
};

}  // namespace mongocached::daemon
