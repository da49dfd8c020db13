#include "bench/stock_unicorn.h"

#include <unicorn/unicorn.h>

#include "sim/support/check.h"

namespace bench {
namespace {

void write(uc_engine* engine, int name, uint64_t value) { CHECK(uc_reg_write(engine, name, &value) == UC_ERR_OK); }

void count_block(uc_engine*, uint64_t, uint32_t, void* blocks) { ++*static_cast<uint64_t*>(blocks); }

}  // namespace

StockUnicorn::StockUnicorn(const machine::Machine& machine, bool block_hook) {
  const mmu::PhysicalMemory& memory = machine.translator().memory();
  const vtl::VirtualProcessor& vp = machine.processor();
  const vtl::VtlContext& context = vp.context();
  CHECK(uc_open(UC_ARCH_X86, UC_MODE_64, &engine_) == UC_ERR_OK);
  CHECK(uc_ctl_set_tcg_buffer_size(engine_, 32u << 20) == UC_ERR_OK);
  CHECK(uc_mem_map(engine_, 0, memory.size(), UC_PROT_ALL) == UC_ERR_OK);
  for (const uint64_t page : memory.dirty_pages()) {
    const uint64_t address = page * abi::page_size;
    CHECK(uc_mem_write(engine_, address, memory.data() + address, abi::page_size) == UC_ERR_OK);
  }
  uc_x86_msr efer{0xC0000080, context.efer & ~uint64_t{0x400}};
  CHECK(uc_reg_write(engine_, UC_X86_REG_MSR, &efer) == UC_ERR_OK);
  write(engine_, UC_X86_REG_CR4, context.cr4);
  write(engine_, UC_X86_REG_CR3, context.cr3);
  write(engine_, UC_X86_REG_CR0, context.cr0);
  write(engine_, UC_X86_REG_RSP, context.rsp);
  write(engine_, UC_X86_REG_RCX, vp.shared.gpr[vtl::Rcx]);
  entry_ = context.rip;
  uc_hook hook{};
  if (block_hook) {
    CHECK(uc_hook_add(engine_, &hook, UC_HOOK_BLOCK, reinterpret_cast<void*>(&count_block), &blocks_, 1, 0) == UC_ERR_OK);
  }
}

StockUnicorn::~StockUnicorn() { uc_close(engine_); }

bool StockUnicorn::run() { return uc_emu_start(engine_, entry_, 0, 0, 0) == UC_ERR_OK; }

uint64_t StockUnicorn::rsi() const {
  uint64_t value = 0;
  uc_reg_read(engine_, UC_X86_REG_RSI, &value);
  return value;
}

}  // namespace bench
