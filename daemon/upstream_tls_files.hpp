// The files that the upstream's URI names for TLS, as they were when they were last taken: copies in memory, which
// others open by a path.
//
// libmongoc takes paths only, and reads the files for every connection that it makes. From the copies it reads what
// clients' connections to the upstream use: neither a file that cannot be used, nor one that is new and not asked for
// by a reload yet, takes the servers out of its sight.
#pragma once

#include <memory>
#include <string>

#include "daemon/control/upstream_uri.hpp"

namespace boost::asio::ssl {
class context;
}

namespace mongocached::daemon {

// One file's copy, which keeps its path.
class file_copy {
 public:
  // Throws std::runtime_error where the file cannot be read or copied. Without a name there is no copy.
  explicit file_copy(const std::string& name);
  ~file_copy();
  file_copy(const file_copy&) = delete;
  file_copy& operator=(const file_copy&) = delete;

  // Empty where there is no copy. Good in this process and as long as it lives.
  [[nodiscard]] std::string path() const;
  // Takes the other's content; who opens the path meanwhile finds the whole of one or of the other. Neither or both of
  // them have a copy.
  void become(file_copy& other) noexcept;

 private:
  int fd_ = -1;
};

// Not thread-safe.
class upstream_tls_files {
 public:
  // Throws std::runtime_error with one clear line for a file that cannot be used.
  explicit upstream_tls_files(const upstream_tls& named) : named_(named) {}

  // The context of clients' connections, null where TLS is off; the copies are from now on what it was made of. Throws
  // like the constructor, and then nothing has changed.
  std::shared_ptr<boost::asio::ssl::context> take();
  // Has `uri`, from which `named` came, read the copies.
  void lead(upstream_uri& uri) const { read_tls_files_from(uri, ca_.path(), certificate_key_.path()); }

 private:
  const upstream_tls named_;
  file_copy ca_{named_.ca_file};
  file_copy certificate_key_{named_.certificate_key_file};
};

}  // namespace mongocached::daemon
