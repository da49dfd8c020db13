#include "sim/loader/msf_file.h"

#include <fmt/format.h>

#include <cstring>

namespace loader {
namespace {

using support::Error;
using support::Result;

constexpr std::string_view magic{
    "Microsoft C/C++ MSF 7.00\r\n\x1a"
    "DS\0\0\0",
    32};
struct SuperBlock {
  char magic[32];
  uint32_t block_size, free_block_map, block_count, directory_size, unknown, directory_map_block;
};
static_assert(sizeof(SuperBlock) == 56);

constexpr uint32_t absent_stream = ~uint32_t{0};

}  // namespace

Result<std::vector<uint8_t>> MsfFile::collect(const Stream& stream) const {
  std::vector<uint8_t> bytes;
  bytes.reserve(stream.size);
  for (const uint32_t block : stream.blocks) {
    const auto data = part(file_, uint64_t{block} * block_size_, block_size_);
    if (!data) return Error{fmt::format("block {} lies outside the file", block)};
    const size_t wanted = stream.size - bytes.size();
    bytes.insert(
        bytes.end(), data->begin(),
        data->begin() + static_cast<ptrdiff_t>(wanted < block_size_ ? wanted : block_size_));
  }
  return bytes;
}

Result<std::vector<uint8_t>> MsfFile::stream(uint32_t number) const {
  if (number >= streams_.size())
    return Error{
        fmt::format("stream {} is referred to, but there are {}", number, streams_.size())};
  return collect(streams_[number]);
}

Result<MsfFile> MsfFile::parse(Bytes file) {
  const auto super = read_at<SuperBlock>(file, 0);
  if (!super || std::memcmp(super->magic, magic.data(), magic.size()) != 0)
    return Error{"not a PDB: the MSF 7.00 signature is missing"};
  MsfFile msf;
  msf.file_ = file;
  msf.block_size_ = super->block_size;
  if (super->block_size < 512 || super->block_size > 65536 ||
      (super->block_size & (super->block_size - 1)) != 0)
    return Error{fmt::format("the PDB's block size {} is not a power of two from 512 to 65536",
                             super->block_size)};
  if (super->directory_size > file.size())
    return Error{fmt::format("the PDB's stream directory of {} bytes exceeds the file",
                             super->directory_size)};
  const auto blocks_of = [&](uint32_t size) {
    return (uint64_t{size} + msf.block_size_ - 1) / msf.block_size_;
  };

  Stream directory{super->directory_size, {}};
  const uint64_t map = uint64_t{super->directory_map_block} * msf.block_size_;
  for (uint64_t i = 0; i < blocks_of(super->directory_size); ++i) {
    const auto block = read_at<uint32_t>(file, map + i * 4);
    if (!block) return Error{"the PDB's directory map lies outside the file"};
    directory.blocks.push_back(*block);
  }
  const std::vector<uint8_t> bytes = TRY(msf.collect(directory));

  const auto count = read_at<uint32_t>(bytes, 0);
  if (!count || !contains(bytes, 4, uint64_t{*count} * 4))
    return Error{"the PDB's stream directory is shorter than its own count of streams"};
  uint64_t next = 4 + uint64_t{*count} * 4;
  uint64_t total = 0;
  for (uint32_t i = 0; i < *count; ++i) {
    Stream stream{*read_at<uint32_t>(bytes, 4 + uint64_t{i} * 4), {}};
    if (stream.size == absent_stream) stream.size = 0;
    total += stream.size;
    // Streams do not share blocks, so together they cannot be larger than the file.
    if (total > file.size())
      return Error{fmt::format("the PDB's streams exceed the file at stream {}", i)};
    for (uint64_t k = 0; k < blocks_of(stream.size); ++k, next += 4) {
      const auto block = read_at<uint32_t>(bytes, next);
      if (!block) return Error{fmt::format("the PDB's stream directory ends inside stream {}", i)};
      stream.blocks.push_back(*block);
    }
    msf.streams_.push_back(std::move(stream));
  }
  return msf;
}

}  // namespace loader
