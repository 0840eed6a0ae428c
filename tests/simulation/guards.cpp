#include "guards.hpp"

namespace {

mongocached::cache::guard core_out = mongocached::cache::guard::none;
mongocached::cache::guard second_out = mongocached::cache::guard::none;
mongocached::simulation::model_guard model_out = mongocached::simulation::model_guard::none;

}  // namespace

namespace mongocached::cache {

bool is_kept(guard g) noexcept {
  return g == guard::none || (g != core_out && g != second_out);
}

}  // namespace mongocached::cache

namespace mongocached::simulation {

bool is_kept(model_guard g) noexcept {
  return g != model_out;
}

without::without(cache::guard g) {
  core_out = g;
}

without::without(model_guard g) {
  model_out = g;
}

without::without(cache::guard g, cache::guard second) {
  core_out = g;
  second_out = second;
}

without::~without() {
  second_out = cache::guard::none;
  core_out = cache::guard::none;
  model_out = model_guard::none;
}

}  // namespace mongocached::simulation
