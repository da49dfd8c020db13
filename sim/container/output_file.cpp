#include "sim/container/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace container {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

Result<OutputFile> OutputFile::create(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return Error{fmt::format("cannot create {}: {}", path, std::strerror(errno))};
  return OutputFile{path, descriptor};
}

Result<OutputFile> OutputFile::extend(const std::string& path, uint64_t keep) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return Error{fmt::format("cannot open {} for writing: {}", path, std::strerror(errno))};
  OutputFile file{path, descriptor};
  if (::ftruncate(descriptor, static_cast<off_t>(keep)) != 0 || ::lseek(descriptor, 0, SEEK_END) < 0)
    return Error{fmt::format("cannot extend {}: {}", path, std::strerror(errno))};
  file.whole_ = keep;
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_{std::move(other.path_)},
      descriptor_{std::exchange(other.descriptor_, -1)},
      whole_{other.whole_},
      failure_{std::move(other.failure_)} {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Error OutputFile::fail(int reason) {
  failure_ = fmt::format("cannot write {}: {}", path_, std::strerror(reason));
  withdraw();
  return Error{failure_};
}

/// Cuts the file behind its last whole piece. Devices and pipes are left alone: they cannot be cut or removed.
void OutputFile::withdraw() {
  struct stat status {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return;
  if (whole_ == 0) {
    if (::unlink(path_.c_str()) == 0) failure_ += " (the file was removed)";
  } else if (::ftruncate(descriptor_, static_cast<off_t>(whole_)) == 0) {
    failure_ += fmt::format(" (the file is whole up to byte {})", whole_);
  }
}

Status OutputFile::append(loader::Bytes piece) {
  if (!failure_.empty()) return Error{failure_};
  size_t done = 0;
  while (done < piece.size()) {
    const ssize_t count = ::write(descriptor_, piece.data() + done, piece.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(count < 0 ? errno : ENOSPC);
    done += static_cast<size_t>(count);
  }
  whole_ += piece.size();
  return Unit{};
}

Status OutputFile::close() {
  if (!failure_.empty()) return Error{failure_};
  const int descriptor = std::exchange(descriptor_, -1);
  if (descriptor >= 0 && ::close(descriptor) != 0) {
    failure_ = fmt::format("cannot finish {}: {}", path_, std::strerror(errno));
    return Error{failure_};
  }
  return Unit{};
}

}  // namespace container
