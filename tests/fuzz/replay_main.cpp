// Runs a fuzz target on every file of the directories named, for compilers without libFuzzer.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  // On the heap and of exactly that size, so that AddressSanitizer sees a read one byte too far.
  const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[content.size()]);
  std::copy(content.begin(), content.end(), bytes.get());
  // Printed before, so that a crash names its file.
  std::printf("%s\n", path.filename().c_str());
  (void)std::fflush(stdout);
  LLVMFuzzerTestOneInput(bytes.get(), content.size());
}

int run(int count, char** directories) {
  int files = 0;
  for (int i = 0; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(directories[i])) {
      if (!entry.is_regular_file()) continue;
      run_file(entry.path());
      ++files;
    }
  }
  std::printf("%d files\n", files);
  return files == 0 ? 1 : 0;  // a corpus that went missing is no success
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc - 1, argv + 1);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
