// Plays the files of a corpus, without a fuzzer: TARGET FILE|FOLDER...
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void play(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  if (!stream) {
    std::fprintf(stderr, "cannot read %s\n", file.c_str());
    std::exit(1);
  }
  // Named first: a broken promise ends the process.
  std::fprintf(stderr, "%s\n", file.filename().c_str());
  // Exactly as long as it is, so that AddressSanitizer sees a read beyond its end.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  firebreak::fuzz::run({exact.data(), exact.size()});
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t played = 0;
  for (int i = 1; i < argc; ++i)
    for (const fs::path& file : files_of(argv[i])) {
      play(file);
      ++played;
    }
  firebreak::fuzz::run({});
  std::fprintf(stderr, "%zu inputs\n", played);
  return played == 0 ? 1 : 0;  // a corpus that is not there tests nothing
}
