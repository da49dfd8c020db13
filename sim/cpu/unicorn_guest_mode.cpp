#include "sim/cpu/unicorn_guest_mode.h"

#include <cstring>

namespace cpu {
namespace {

/// Fields of the control block (AMD64 APM vol. 2, appendix B).
class ControlBlock {
 public:
  explicit ControlBlock(uint8_t* bytes) : bytes_{bytes} {}
  template <class T>
  void put(size_t offset, T value) {
    std::memcpy(bytes_ + offset, &value, sizeof value);
  }
  void segment(size_t offset, uint16_t selector, uint16_t attributes) {
    put<uint16_t>(offset, selector);
    put<uint16_t>(offset + 2, attributes);
    put<uint32_t>(offset + 4, ~uint32_t{0});
    put<uint64_t>(offset + 8, 0);
  }

 private:
  uint8_t* bytes_;
};

constexpr uint32_t msr_efer = 0xc0000080, msr_host_save = 0xc0010117;
constexpr uint64_t efer_value = 0x1d01;  // SVME, NXE, LMA, LME, SCE

void fill_control_block(uint8_t* pages) {
  std::memset(pages + 0x2000, 0xff, 0x2000);  // MSR map
  std::memset(pages + 0x4000, 0xff, 0x3000);  // I/O map
  ControlBlock block{pages};
  block.put<uint16_t>(0, 0xffff);        // CR reads
  block.put<uint16_t>(2, 0xffff);        // CR writes
  block.put<uint16_t>(4, 0xffff);        // DR reads
  block.put<uint16_t>(6, 0xffff);        // DR writes
  block.put<uint32_t>(8, ~uint32_t{0});  // exceptions
  block.put<uint64_t>(12, intercepted_instructions);
  block.put<uint64_t>(0x40, private_io_map);
  block.put<uint64_t>(0x48, private_msr_map);
  block.segment(0x400, 0x18, 0xc93);  // ES
  block.segment(0x410, 0x10, 0xa9b);  // CS
  block.segment(0x420, 0x18, 0xc93);  // SS
  block.segment(0x430, 0x18, 0xc93);  // DS
  block.put<uint64_t>(0x4d0, efer_value);
  block.put<uint64_t>(0x548, 0x620);       // CR4: PAE, OSFXSR, OSXMMEXCPT
  block.put<uint64_t>(0x550, 0);           // CR3
  block.put<uint64_t>(0x558, 0x80000033);  // CR0
  block.put<uint64_t>(0x570, 2);           // RFLAGS
  block.put<uint64_t>(0x578, private_entry + 0x100);
  block.put<uint64_t>(0x5d8, private_entry + 0xf00);
}

}  // namespace

const char* enter_guest_mode(uc_engine* engine, mmu::ZeroedMemory& memory) {
  auto* pages = static_cast<uint8_t*>(memory.data());
  fill_control_block(pages);
  const uint8_t vmrun[] = {0x0f, 0x01, 0xd8};
  std::memcpy(pages + (private_entry - private_base), vmrun, sizeof vmrun);
  pages[private_entry + 0x100 - private_base] = 0xf4;  // HLT: the first exit
  if (uc_mem_map_ptr(engine, private_base, private_size, UC_PROT_ALL, pages) != UC_ERR_OK)
    return "engine refuses its private pages";
  uc_x86_msr efer{msr_efer, efer_value}, host_save{msr_host_save, private_host_save};
  uint64_t block = private_vmcb;
  if (uc_reg_write(engine, UC_X86_REG_MSR, &efer) != UC_ERR_OK ||
      uc_reg_write(engine, UC_X86_REG_MSR, &host_save) != UC_ERR_OK ||
      uc_reg_write(engine, UC_X86_REG_RAX, &block) != UC_ERR_OK)
    return "engine refuses its guest-mode registers";
  if (uc_emu_start(engine, private_entry, 0, 0, 0) != UC_ERR_OK)
    return "engine does not enter guest mode";
  return nullptr;
}

}  // namespace cpu
