// Files for a test, in a directory of its own that goes with the object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mongocached::config::test {

class temp_directory {
 public:
  temp_directory() : path_((std::filesystem::temp_directory_path() / "mongocached-config-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  }
  ~temp_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  temp_directory(const temp_directory&) = delete;
  temp_directory& operator=(const temp_directory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  // The path of a new file with that content.
  [[nodiscard]] std::string file(std::string_view name, std::string_view content) const {
    auto out = path_ + "/" + std::string{name};
    std::ofstream stream{out, std::ios::binary};
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
    return out;
  }

 private:
  std::string path_;
};

}  // namespace mongocached::config::test
