#include "fuzz/conformance/partition_world.h"

#include <fmt/format.h>

#include "sim/support/state.h"

namespace soak {

using abi::hv::Vtl;
using vtl::ExitReason;
using vtl::OutcomeKind;

namespace {

constexpr uint16_t kernel_cs = 0x08, kernel_ss = 0x10, user_ss = 0x2b, user_cs = 0x33;

}  // namespace

PartitionWorld::PartitionWorld(cpu::Gear gear, uint64_t seed) : random_{seed, "partition"} {
  auto made = cpu::make_unicorn_cpu({.gear = gear, .seed = seed}, world_.memory, world_.translator,
                                    *this, *this, nullptr);
  if (!made.ok()) FAIL(made.error().message);
  processor_ = std::move(made.value());
  build_tables();
  for (unsigned vtl = 0; vtl < 2; ++vtl)
    build_descriptors(vtl);
  world_.enable_apic();
  REQUIRE(world_.wrmsr(abi::hv::msr::GuestOsId, 1));
  REQUIRE(world_.wrmsr(abi::hv::msr::Hypercall, test::hypercall_page | 1));
  const bool mbec = random_.one_in(2);
  world_.enter_vtl1_ready(mbec);
  for (unsigned i = 0; i < 4; ++i)
    (void)world_.protect(test::victim_page + i * 0x1000, static_cast<uint32_t>(random_.below(16)));
  if (!random_.one_in(3)) REQUIRE(world_.vtl_return(1).vtl_changed);
  for (unsigned vtl = 0; vtl < 2; ++vtl) {
    user_[vtl] = random_.one_in(2);
    write_program(vtl);
    enter(vtl);
  }
  for (uint64_t& gpr : world_.vp().shared.gpr)
    gpr = random_.one_in(2) ? test::victim_page + random_.below(0x4000) : random_.next();
  world_.translator.invalidate_all(address_space(world_.vp()), false);
}

void PartitionWorld::put(uint64_t gpa, const std::vector<uint8_t>& bytes) {
  REQUIRE(world_.memory.write(mmu::Spa{gpa}, std::span<const uint8_t>{bytes}));
}

void PartitionWorld::build_tables() {
  poke<uint64_t>(page_maps, (page_maps + 0x1000) | 7);
  poke<uint64_t>(page_maps + 0x1000, (page_maps + 0x2000) | 7);
  // The local APIC's page, through a 2 MiB page.
  poke<uint64_t>(page_maps + 0x1000 + 8 * 3, (page_maps + 0x8000) | 7);
  poke<uint64_t>(page_maps + 0x8000 + 8 * 0x1f7, uint64_t{0xfee00000} | 0x87);
  for (uint64_t table = 0; table < test::guest_bytes >> 21; ++table) {
    poke<uint64_t>(page_maps + 0x2000 + 8 * table, (page_maps + 0x3000 + table * 0x1000) | 7);
    for (uint64_t i = 0; i < 512; ++i)
      poke<uint64_t>(page_maps + 0x3000 + table * 0x1000 + 8 * i, (table * 512 + i) << 12 | 7);
  }
}

void PartitionWorld::build_descriptors(unsigned vtl) {
  const uint64_t gdt = tables + vtl * 0x4000, idt = gdt + 0x1000, tss = gdt + 0x2000,
                 handler = gdt + 0x3000;
  const uint64_t descriptors[] = {0,
                                  0x00af9b000000ffff,
                                  0x00cf93000000ffff,
                                  0x00cffb000000ffff,
                                  0,
                                  0x00cff3000000ffff,
                                  0x00affb000000ffff,
                                  0,
                                  uint64_t{0x00008b0000000067} | (tss & 0xffffff) << 16,
                                  0};
  for (size_t i = 0; i < std::size(descriptors); ++i)
    poke(gdt + 8 * i, descriptors[i]);
  for (unsigned vector = 0; vector < 256; ++vector) {
    poke(idt + vector * 16, (handler & 0xffff) | uint64_t{kernel_cs} << 16 | uint64_t{0xee} << 40 |
                                (handler >> 16 & 0xffff) << 48);
    poke<uint64_t>(idt + vector * 16 + 8, 0);
  }
  const uint64_t top = stacks + vtl * 0x4000;
  poke(tss + 4, top - 0x2000);
  // mov esp, top; push [ss]; push [rsp]; push [rflags]; push [cs]; push [next]; iretq
  std::vector<uint8_t> bytes{0xbc};
  const auto imm32 = [&](uint64_t value) {
    for (unsigned i = 0; i < 4; ++i)
      bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  imm32(top - 0x1000);
  for (const unsigned offset : {8u, 16u, 24u, 32u, 0u}) {
    for (const unsigned byte : {0xffu, 0x34u, 0x25u})
      bytes.push_back(static_cast<uint8_t>(byte));
    imm32(cells + vtl * 64 + offset);
  }
  bytes.push_back(0x48);
  bytes.push_back(0xcf);
  put(handler, bytes);
}

void PartitionWorld::enter(unsigned vtl) {
  vtl::VtlContext& c = world_.vp().contexts[static_cast<Vtl>(vtl)];
  const uint64_t gdt = tables + vtl * 0x4000;
  c.cr0 = 0x80010033;
  c.cr3 = page_maps;
  c.cr4 = 0x6a0;
  c.efer = 0xd01;
  c.gdtr = {gdt, 0x4f};
  c.idtr = {gdt + 0x1000, 0xfff};
  c.tr = {gdt + 0x2000, 0x67, 0x40, 0x8b};
  const bool user = user_[vtl];
  c.segments.fill(
      {0, ~0u, user ? user_ss : kernel_ss, static_cast<uint16_t>(user ? 0xc0f3 : 0xc093)});
  c.segments[vtl::Cs] = {0, ~0u, user ? user_cs : kernel_cs,
                         static_cast<uint16_t>(user ? 0xa0fb : 0xa09b)};
  c.rip = code + vtl * 0x8000;
  c.rsp = stacks + vtl * 0x4000 - 0x100;
  c.rflags = random_.one_in(2) ? 0x202 : 2;
  const uint64_t cell = cells + vtl * 64;
  poke(cell, c.rip);
  poke<uint64_t>(cell + 8, user ? user_ss : kernel_ss);
  poke(cell + 16, c.rsp);
  poke<uint64_t>(cell + 24, c.rflags);
  poke<uint64_t>(cell + 32, user ? user_cs : kernel_cs);
  c.changes += 1;
}

void PartitionWorld::write_program(unsigned vtl) {
  PartitionProgram program{random_, vtl, code + vtl * 0x8000};
  const uint64_t steps = 20 + random_.below(60);
  for (uint64_t i = 0; i < steps; ++i)
    program.step();
  program.finish();
  put(code + vtl * 0x8000, program.bytes());
  for (const auto& block : program.blocks())
    put(block.gpa, block.bytes);
}

mmu::AddressSpace PartitionWorld::address_space(const vtl::VirtualProcessor& vp) const {
  return world_.hypervisor.address_space(vp);
}
uint64_t PartitionWorld::mmio_read(vtl::VirtualProcessor& vp, support::Instant now,
                                   mmu::Spa address, uint8_t size) {
  return world_.hypervisor.apic_mmio_read(vp, static_cast<uint16_t>(address.page_offset()), size,
                                          now);
}
void PartitionWorld::mmio_write(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address,
                                uint8_t size, uint64_t value) {
  world_.hypervisor.apic_mmio_write(vp, static_cast<uint16_t>(address.page_offset()), size, value,
                                    now);
}

bool PartitionWorld::end(std::string why, bool failure) {
  ending = std::move(why);
  failed = failure;
  return false;
}

bool PartitionWorld::run_until(uint64_t instant) {
  vtl::VirtualProcessor& vp = world_.vp();
  while (world_.now.ticks < instant) {
    if (vp.suspended()) return end("suspended");
    const auto vector = world_.hypervisor.check_interrupts(vp, world_.now);
    if (vp.halted) {
      const support::Instant next = world_.hypervisor.next_event(vp);
      if (next == support::never) return end("halted");
      world_.now = std::max(world_.now, std::min(next, support::Instant{instant}));
      if (world_.now.ticks >= instant) break;
      if (next > world_.now) continue;
      (void)world_.hypervisor.check_interrupts(vp, world_.now);
      if (vp.halted) return end("halted at its event");
      continue;
    }
    if (vector)
      processor_->offer_interrupt(vp, *vector);
    else
      processor_->withdraw_interrupt(vp);
    support::Instant until{instant};
    until = std::max(std::min(until, world_.hypervisor.next_event(vp)), world_.now + 1);
    const vtl::Exit exit = processor_->run(vp, world_.now, until);
    if (exit.reason == ExitReason::Deadline) continue;
    if (exit.reason == ExitReason::Hang) return end(exit.detail);
    if (exit.reason == ExitReason::MachineFailure) return end(exit.detail, true);
    if (!apply(world_.hypervisor.handle(exit, vp, world_.now), exit)) return false;
  }
  return true;
}

bool PartitionWorld::apply(const vtl::Outcome& outcome, const vtl::Exit& exit) {
  vtl::VirtualProcessor& vp = world_.vp();
  switch (outcome.kind) {
    case OutcomeKind::Retire:
    case OutcomeKind::Halt:
      processor_->retire(vp, world_.now, outcome.length);
      return true;
    case OutcomeKind::Resume:
      world_.now = world_.now + outcome.ticks;
      return true;
    case OutcomeKind::Inject:
      return processor_->inject_exception(vp, outcome.exception) || end("triple fault");
    case OutcomeKind::NotMine:
      return not_mine(exit);
    case OutcomeKind::Reset:
      return end("reset");
    case OutcomeKind::Hang:
      return end(outcome.detail);
    case OutcomeKind::MachineFailure:
      return end(outcome.detail, true);
  }
  return true;
}

bool PartitionWorld::not_mine(const vtl::Exit& exit) {
  vtl::VirtualProcessor& vp = world_.vp();
  if (exit.reason == ExitReason::IoRead) {
    processor_->complete_io_read(vp, world_.now, exit, exit.io.port * 0x01010101u);
    return true;
  }
  if (exit.reason == ExitReason::IoWrite) {
    processor_->complete_io_write(vp, world_.now, exit);
    return true;
  }
  return end(fmt::format("exit {}", static_cast<int>(exit.reason)));
}

support::StateHash PartitionWorld::state() {
  support::StateHasher hasher;
  hasher.add(support::hash_of(world_.hypervisor));
  for (const auto& vp : world_.vps)
    hasher.add(support::hash_of(vp));
  hasher.add(world_.memory.hash()).add(world_.now.ticks).add(world_.translator.misses());
  hasher.add(world_.translator.tlb().hash());
  return hasher.finish();
}

}  // namespace soak
