#include "daemon/upstream_tls_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace mongocached::daemon {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class FileCopy : public ::testing::Test {
 protected:
  FileCopy() : name_(std::filesystem::temp_directory_path() / ("file_copy_test." + std::to_string(::getpid()))) {}
  ~FileCopy() override { std::filesystem::remove(name_); }

  void write(const std::string& text) { std::ofstream(name_, std::ios::binary) << text; }

  const std::filesystem::path name_;
};

TEST_F(FileCopy, KeepsWhatTheFileWas) {
  write("one");
  const file_copy copy(name_);
  write("another");
  EXPECT_EQ(content(copy.path()), "one");
  std::filesystem::remove(name_);
  EXPECT_EQ(content(copy.path()), "one");
}

TEST_F(FileCopy, BecomesAnotherUnderTheSamePath) {
  write("one");
  file_copy copy(name_);
  const auto path = copy.path();
  std::ifstream opened_before(path);
  {
    write("another");
    file_copy fresh(name_);
    copy.become(fresh);
  }
  EXPECT_EQ(copy.path(), path);
  EXPECT_EQ(content(path), "another");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(opened_before), {}), "one");
}

TEST_F(FileCopy, OfNoFileHasNoPath) {
  EXPECT_EQ(file_copy("").path(), "");
}

TEST_F(FileCopy, OfAFileThatCannotBeReadIsRefused) {
  EXPECT_THROW(file_copy{name_.string()}, std::runtime_error);
  EXPECT_THROW(file_copy{std::filesystem::temp_directory_path().string()}, std::runtime_error);
}

TEST(UpstreamTlsFiles, OfNoTlsLeaveTheUriAsItIs) {
  upstream_uri uri;
  uri.text = config::uri("mongodb://h/");
  uri.monitoring_text = "mongodb://h/";
  upstream_tls_files files(uri.tls);
  EXPECT_EQ(files.take(), nullptr);
  files.lead(uri);
  EXPECT_EQ(uri.text.reveal(), "mongodb://h/");
}

}  // namespace
}  // namespace mongocached::daemon
