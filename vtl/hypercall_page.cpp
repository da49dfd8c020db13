#include "vtl/hypercall_page.h"

#include <algorithm>
#include <span>

#include "sim/support/check.h"

namespace vtl {
namespace {

constexpr uint8_t int3 = 0xCC;
constexpr uint8_t ret = 0xC3;
constexpr uint16_t call_bytes = 4, stub32_bytes = 11, stub64_bytes = 14;

struct Region {
  uint32_t first, bytes;
};

std::array<Region, 5> regions(const HypercallPageLayout& layout) {
  return {{{0, call_bytes},
           {layout.vtl_call32, stub32_bytes},
           {layout.vtl_call64, stub64_bytes},
           {layout.vtl_return32, stub32_bytes},
           {layout.vtl_return64, stub64_bytes}}};
}

/// Appends bytes of machine code at a moving position.
class Emitter {
 public:
  Emitter(std::span<uint8_t> page, size_t at) : page_{page}, at_{at} {}
  Emitter& bytes(std::initializer_list<uint8_t> list) {
    for (const uint8_t byte : list)
      page_[at_++] = byte;
    return *this;
  }
  /// VMCALL or VMMCALL, then RET.
  void leave(Vendor vendor) {
    bytes({0x0F, 0x01, static_cast<uint8_t>(vendor == Vendor::Intel ? 0xC1 : 0xD9), ret});
  }

 private:
  std::span<uint8_t> page_;
  size_t at_;
};

}  // namespace

bool valid(const HypercallPageLayout& layout) {
  auto sorted = regions(layout);
  std::sort(sorted.begin(), sorted.end(), [](Region a, Region b) { return a.first < b.first; });
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].first < sorted[i - 1].first + sorted[i - 1].bytes) return false;
  }
  return sorted.back().first + sorted.back().bytes <= 4096;
}

std::array<uint8_t, 4096> build_hypercall_page(const HypercallPageLayout& layout, Vendor vendor) {
  CHECK(valid(layout));
  std::array<uint8_t, 4096> page;
  page.fill(int3);
  Emitter{page, 0}.leave(vendor);
  const auto stub32 = [&](uint16_t offset, uint8_t code) {  // mov ecx, eax; mov eax, code
    Emitter{page, offset}.bytes({0x89, 0xC1, 0xB8, code, 0, 0, 0}).leave(vendor);
  };
  const auto stub64 = [&](uint16_t offset, uint8_t code) {  // mov rax, rcx; mov rcx, code
    Emitter{page, offset}.bytes({0x48, 0x89, 0xC8, 0x48, 0xC7, 0xC1, code, 0, 0, 0}).leave(vendor);
  };
  constexpr uint8_t vtl_call = 0x11, vtl_return = 0x12;
  stub32(layout.vtl_call32, vtl_call);
  stub64(layout.vtl_call64, vtl_call);
  stub32(layout.vtl_return32, vtl_return);
  stub64(layout.vtl_return64, vtl_return);
  return page;
}

abi::hv::VsmCodePageOffsets code_page_offsets(const HypercallPageLayout& layout, bool long_mode) {
  return abi::hv::VsmCodePageOffsets{}
      .with_vtl_call_offset(long_mode ? layout.vtl_call64 : layout.vtl_call32)
      .with_vtl_return_offset(long_mode ? layout.vtl_return64 : layout.vtl_return32);
}

}  // namespace vtl
