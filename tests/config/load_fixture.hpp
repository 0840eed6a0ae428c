// What the tests of load() share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "temp_file.hpp"

namespace mongocached::config::test {

inline constexpr const char* some_upstream = "mongodb://db.example:27018";

inline options minimal() {
  options out;
  out.flags["upstream.uri"] = some_upstream;
  return out;
}

inline std::vector<std::string> lines(const result& r) {
  std::vector<std::string> out;
  out.reserve(r.faults.size());
  for (const auto& f : r.faults) out.push_back(f.line);
  return out;
}

class load_test : public testing::Test {
 protected:
  // A run with this file and an upstream from the command line.
  result from_file(std::string_view toml) {
    auto o = minimal();
    o.file = directory.file("c.toml", toml);
    return load(o);
  }

  temp_directory directory;
};

}  // namespace mongocached::config::test
