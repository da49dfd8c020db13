#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "sim/dump/dump.h"
#include "sim/loader/pe_image.h"

namespace dump {
namespace {

using support::Error;
using support::Result;

constexpr uint64_t largest_range = uint64_t{16} << 20;

/// One block of a drcov file's table.
struct Block {
  uint32_t start;
  uint16_t size, module;
};
static_assert(sizeof(Block) == 8);

std::string_view next_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return line;
}

/// Field `index` of "a, b, c".
std::string_view field(std::string_view line, size_t index) {
  for (; index > 0; --index) {
    const size_t comma = line.find(',');
    if (comma == std::string_view::npos) return {};
    line = line.substr(comma + 1);
  }
  line = line.substr(0, line.find(','));
  while (!line.empty() && line.front() == ' ') line = line.substr(1);
  return line;
}

std::optional<uint64_t> number(std::string_view text, int base) {
  if (base == 16 && text.starts_with("0x")) text = text.substr(2);
  uint64_t value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (wrong != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

}  // namespace

CodeCoverage::CodeCoverage(uint64_t base, uint64_t size, vtl::Vtl vtl, uint64_t cr3)
    : base_{base}, vtl_{vtl}, cr3_{cr3}, counts_(static_cast<size_t>(std::min(size, largest_range))) {}

void CodeCoverage::before_instruction(support::Instant, const vtl::VirtualProcessor& vp) {
  const uint64_t offset = vp.context().rip - base_;
  if (offset >= counts_.size() || vp.active != vtl_ || (cr3_ != 0 && vp.context().cr3 != cr3_)) return;
  if (counts_[offset] != ~uint32_t{0}) ++counts_[offset];
}

Coverage CodeCoverage::coverage() const {
  return [this](uint64_t address) -> uint64_t {
    const uint64_t offset = address - base_;
    return offset < counts_.size() ? counts_[offset] : 0;
  };
}

Result<Coverage> read_drcov(const std::string& path, std::string_view image, uint64_t base) {
  const std::vector<uint8_t> bytes = TRY(loader::read_file(path, uint64_t{1} << 28));
  std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (!next_line(text).starts_with("DRCOV VERSION: 2"))
    return Error{fmt::format("{} is no drcov file of version 2", path)};
  std::vector<uint64_t> modules;  // that are this image
  for (std::string_view line = next_line(text); !line.starts_with("BB Table:"); line = next_line(text)) {
    if (text.empty()) return Error{fmt::format("{} has no table of blocks", path)};
    // id, base, end, entry, checksum, timestamp, path
    const std::string_view name = field(line, 6);
    const auto id = number(field(line, 0), 10);
    const bool here = number(field(line, 1), 16) == base;
    if (id && here && name.substr(name.find_last_of("/\\") + 1) == image) modules.push_back(*id);
  }
  // Executed bytes of blocks; a block's first byte is where an instruction begins, and so are all that follow in it.
  auto covered = std::make_shared<std::vector<bool>>(largest_range);
  for (uint64_t at = static_cast<uint64_t>(text.data() - reinterpret_cast<const char*>(bytes.data()));
       at + sizeof(Block) <= bytes.size(); at += sizeof(Block)) {
    const Block block = *loader::read_at<Block>(bytes, at);
    if (std::find(modules.begin(), modules.end(), block.module) == modules.end()) continue;
    for (uint64_t i = block.start; i < uint64_t{block.start} + block.size && i < covered->size(); ++i)
      (*covered)[i] = true;
  }
  return Coverage{[covered, base](uint64_t address) -> uint64_t {
    const uint64_t offset = address - base;
    return offset < covered->size() && (*covered)[offset] ? 1 : 0;
  }};
}

}  // namespace dump
