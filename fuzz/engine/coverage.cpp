#include "fuzz/engine/coverage.h"

#include <algorithm>

#include "sim/cpu/instruction.h"

namespace fuzzing {
namespace {

using abi::hv::Vtl;

/// Bytes of code at `address` as this VTL sees them now, in its own address space or in that of the image.
std::vector<uint8_t> code_at(const machine::Machine& machine, Vtl vtl, uint64_t address, const LoadedImage* image) {
  constexpr size_t longest_block = abi::page_size;
  std::vector<uint8_t> bytes(longest_block);
  const auto read = [&](const mmu::AddressSpace& space, bool user) {
    return mmu::read_gva(machine.translator(), space, mmu::Gva{address}, bytes, user);
  };
  uint64_t count = 0;
  for (const bool user : {false, true}) {
    if (count == 0) count = read(machine.view(vtl), user);
    if (count == 0 && image != nullptr) count = read(machine.view(vtl, image->cr3), user);
  }
  bytes.resize(count);
  return bytes;
}

/// Up to the end of the first control transfer, at most `limit`.
uint32_t block_size(std::span<const uint8_t> code, uint64_t limit) {
  uint64_t size = 0;
  while (size < code.size() && size < limit) {
    const cpu::Instruction in = cpu::decode(code.subspan(size), cpu::CodeSize::Bits64);
    if (in.status != cpu::DecodeStatus::Ok) break;
    size += in.length;
    if (cpu::is_control_transfer(in)) break;
  }
  return static_cast<uint32_t>(std::min(size, limit));
}

}  // namespace

void ImageMap::on(const support::Event& event) {
  if (event.kind == support::EventKind::ImageLoaded) {
    images_.push_back({std::string{event.text}, event.vtl, event.a, event.b, event.c});
  } else if (event.kind == support::EventKind::ImageUnloaded) {
    const auto gone = std::find_if(images_.begin(), images_.end(), [&](const LoadedImage& image) {
      return image.vtl == event.vtl && image.base == event.a && image.name == event.text;
    });
    if (gone != images_.end()) images_.erase(gone);
  }
}

const LoadedImage* ImageMap::find(Vtl vtl, uint64_t address) const {
  const auto found = std::find_if(images_.begin(), images_.end(), [&](const LoadedImage& image) {
    return image.vtl == vtl && address - image.base < image.size;
  });
  return found != images_.end() ? &*found : nullptr;
}

std::vector<CoveredBlock> resolve(const machine::Machine& machine, const ImageMap& images,
                                  std::span<const cpu::GuestBlock> entered) {
  std::vector<cpu::GuestBlock> sorted{entered.begin(), entered.end()};
  const auto by_place = [](const cpu::GuestBlock& a, const cpu::GuestBlock& b) {
    return a.vtl != b.vtl ? a.vtl < b.vtl : a.address < b.address;
  };
  std::sort(sorted.begin(), sorted.end(), by_place);
  std::vector<CoveredBlock> result;
  for (const cpu::GuestBlock& block : entered) {
    const auto vtl = static_cast<Vtl>(block.vtl);
    const LoadedImage* const image = images.find(vtl, block.address);
    const auto next = std::upper_bound(sorted.begin(), sorted.end(), block, by_place);
    const bool bounded = next != sorted.end() && next->vtl == block.vtl;
    const std::vector<uint8_t> code = code_at(machine, vtl, block.address, image);
    result.push_back({.image = image != nullptr ? image->name : "",
                      .vtl = vtl,
                      .offset = image != nullptr ? block.address - image->base : block.address,
                      .size = block_size(code, bounded ? next->address - block.address : code.size())});
  }
  return result;
}

}  // namespace fuzzing
