#include "sim/faces/gdb/files.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/gdb/hex.h"
#include "sim/faces/gdb/image_file.h"
#include "sim/faces/gdb/packet.h"
#include "sim/faces/gdb/symbol_file.h"

namespace faces::gdb {
namespace {

/// GDB manual, E.13.8: numbers of errors that do not depend on a host.
constexpr const char *no_such_file = "F-1,2", *bad_file = "F-1,9", *read_only = "F-1,1e", *too_many_files = "F-1,17",
                     *bad_request = "F-1,16";
/// O_RDONLY; every other access mode writes.
constexpr uint64_t access_mode = 3;

/// Bytes of all open files.
constexpr size_t most_held = 256 << 20;

void add_big_endian(std::string& bytes, uint64_t number, size_t count) {
  while (count-- != 0) bytes += static_cast<char>(number >> (8 * count));
}

}  // namespace

std::string image_path(const Module& module) {
  const std::string process = module.process.empty() ? "" : module.process + "/";
  return fmt::format("/airlock/vtl{}/{}{}", module.vtl, process, module.file);
}

std::string Files::answer(std::string_view command) {
  Fields fields{command};
  const std::string_view name = fields.until(':');
  if (name == "setfs") return "F0";  // there is one file system only
  if (name == "open") return open(fields.rest());
  if (name == "pread") return read(fields.rest());
  if (name == "fstat") return status(fields.rest());
  if (name == "close") return close(fields.rest());
  if (name == "pwrite" || name == "unlink") return read_only;
  return "";
}

std::string Files::open(std::string_view text) {
  Fields fields{text};
  const auto path = text_from_hex(fields.until(','));
  const auto flags = fields.number_until(',');
  if (!path || !flags) return bad_request;
  if ((*flags & access_mode) != 0) return read_only;
  const auto free = std::find_if(files_.begin(), files_.end(), [](const File& file) { return !file.open; });
  if (free == files_.end()) return too_many_files;
  auto bytes = contents(*path);
  if (!bytes) return no_such_file;
  size_t held = bytes->size();
  for (const File& file : files_) held += file.bytes.size();
  if (held > most_held) return too_many_files;
  *free = {true, std::move(*bytes)};
  return fmt::format("F{:x}", free - files_.begin());
}

std::optional<std::vector<uint8_t>> Files::contents(const std::string& path) {
  if (path == symbol_file_path) {
    const auto symbols = target_.symbols();
    if (!symbols) return std::nullopt;
    return symbol_file(symbols.value());
  }
  const auto modules = target_.modules(target_.stop().thread);
  if (!modules) return std::nullopt;
  for (const Module& module : modules.value())
    if (image_path(module) == path) return read_image(target_, module);
  return std::nullopt;
}

const Files::File* Files::find(std::optional<uint64_t> number) const {
  return number && *number < files_.size() && files_[*number].open ? &files_[*number] : nullptr;
}

std::string Files::read(std::string_view text) const {
  Fields fields{text};
  const File* file = find(fields.number_until(','));
  const auto count = fields.number_until(','), offset = fields.number_until(',');
  if (file == nullptr) return bad_file;
  if (!count || !offset) return bad_request;
  const uint64_t from = std::min<uint64_t>(*offset, file->bytes.size());
  const uint64_t length = std::min({*count, file->bytes.size() - from, uint64_t{maximum_packet} / 2});
  std::string reply = fmt::format("F{:x};", length);
  reply.append(reinterpret_cast<const char*>(file->bytes.data()) + from, length);
  return reply;
}

/// struct stat of the protocol: big-endian (GDB manual, E.13.8.2).
std::string Files::status(std::string_view text) const {
  const File* file = find(Fields{text}.number_until(','));
  if (file == nullptr) return bad_file;
  constexpr uint64_t regular_readable = 0100444, block = 4096, sector = 512;
  const uint64_t size = file->bytes.size();
  std::string stat;
  for (const uint64_t word :
       {uint64_t{1}, uint64_t{1}, regular_readable, uint64_t{1}, uint64_t{0}, uint64_t{0}, uint64_t{0}})
    add_big_endian(stat, word, 4);  // device, inode, mode, links, user, group, device of special files
  for (const uint64_t word : {size, block, (size + sector - 1) / sector}) add_big_endian(stat, word, 8);
  for (int time = 0; time < 3; ++time) add_big_endian(stat, 0, 4);
  return fmt::format("F{:x};", stat.size()) + stat;
}

std::string Files::close(std::string_view text) {
  const auto number = Fields{text}.number_until(',');
  if (find(number) == nullptr) return bad_file;
  files_[*number] = {};
  return "F0";
}

}  // namespace faces::gdb
