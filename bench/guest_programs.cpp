#include "bench/guest_programs.h"

#include <cstring>
#include <string_view>

#include "abi/boot/launch_block.h"
#include "abi/hv/structs.h"
#include "abi/x64/paging.h"
#include "sim/loader/pe_format.h"
#include "sim/machine/reset.h"
#include "sim/support/check.h"

#define BENCH_PROGRAM(name) \
  extern "C" const uint8_t bench_##name##_begin[], bench_##name##_end[];
BENCH_PROGRAM(compute)
BENCH_PROGRAM(memory)
BENCH_PROGRAM(call)
BENCH_PROGRAM(tlb_resident)
BENCH_PROGRAM(tlb_conflict)
BENCH_PROGRAM(tlb_flushed)
BENCH_PROGRAM(vtl_round_trip)
BENCH_PROGRAM(hypercall)
BENCH_PROGRAM(flush_hypercall)
BENCH_PROGRAM(four_processors)
BENCH_PROGRAM(events)
BENCH_PROGRAM(crowd)
#undef BENCH_PROGRAM
extern "C" const uint8_t bench_vtl_round_trip_vtl1[], bench_events_vtl1[], bench_events_timer[], bench_worker_entry[];
extern "C" const uint8_t bench_crowd_vtl1[], bench_crowd_timer[], bench_crowd_invalid[];

namespace bench {
namespace {

namespace pte = abi::x64::pte;
using namespace guest_layout;

constexpr uint64_t rounds_operand = 2;  // of MOVABS RSI, imm64

/// A copy of guest memory [image_base, image_end), written by guest address.
class ImageBytes {
 public:
  ImageBytes() : bytes_(image_end - image_base) {}
  template <class T>
  void put(uint64_t address, const T& value) {
    put(address, &value, sizeof(T));
  }
  void put(uint64_t address, const void* from, size_t size) {
    CHECK(address >= image_base && address + size <= image_end);
    std::memcpy(&bytes_[address - image_base], from, size);
  }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

/// PML4 slots 2 and 3, every entry of their PDPT: one page seen every GiB.
void put_far_tables(ImageBytes& image) {
  constexpr uint64_t rights = pte::present | pte::writable | pte::accessed;
  image.put(far_pml4, (machine::reset_layout::page_tables + abi::page_size) | rights);
  for (const uint64_t slot : {uint64_t{2}, uint64_t{3}}) image.put(far_pml4 + slot * 8, far_pdpt | rights);
  for (uint64_t gigabyte = 0; gigabyte < abi::x64::entries_per_table; ++gigabyte) {
    image.put(far_pdpt + gigabyte * 8, far_pd | rights);
  }
  image.put(far_pd, far_pt | rights);
  image.put(far_pt, far_page | rights | pte::dirty);
}

void put_hypercall_inputs(ImageBytes& image, uint64_t vtl1_entry) {
  using namespace abi::hv;
  EnablePartitionVtl partition{};
  partition.target_partition = partition_self;
  partition.target_vtl = 1;
  image.put(enable_partition_vtl, partition);

  EnableVpVtl vp{};
  vp.target_partition = partition_self;
  vp.target_vp = vp_self;
  vp.target_vtl = 1;
  InitialVpContext& context = vp.context;
  context.rip = vtl1_entry;
  context.rsp = vtl1_stack;
  context.rflags = 2;
  context.cs = {0, ~0u, machine::reset_layout::code_selector, 0xa09b};
  context.ds = context.es = context.fs = context.gs = context.ss = {0, ~0u, machine::reset_layout::data_selector, 0xc093};
  context.tr = {0, 0xffff, 0, 0x008b};
  context.ldtr = {0, 0xffff, 0, 0x0082};
  context.gdtr = {{}, 23, machine::reset_layout::gdt};
  context.efer = 0xd01;
  context.cr0 = 0x8001'0033;
  context.cr3 = machine::reset_layout::page_tables;
  context.cr4 = 0x6a0;
  context.msr_cr_pat = 0x0007'0406'0007'0406;
  image.put(enable_vp_vtl, vp);

  vp.target_vtl = 0;
  context.rip = code + static_cast<uint64_t>(bench_worker_entry - bench_four_processors_begin);
  image.put(start_vp, vp);
}

constexpr uint64_t invalid_vector = 6, timer_vector = 0x40, gate_size = 16;

/// An interrupt descriptor table without entries.
void put_interrupt_table(ImageBytes& image) {
  image.put(idt_pointer, static_cast<uint16_t>((timer_vector + 1) * gate_size - 1));
  image.put(idt_pointer + 2, idt);
}

void put_gate(ImageBytes& image, uint64_t vector, uint64_t handler) {
  const uint64_t low = (handler & 0xffff) | uint64_t{machine::reset_layout::code_selector} << 16 |
                       uint64_t{0x8e00} << 32 | (handler >> 16 & 0xffff) << 48;
  image.put(idt + vector * gate_size, low);
  image.put(idt + vector * gate_size + 8, handler >> 32);
}

/// DOS header, PE headers and one section that covers the rest.
void put_headers(ImageBytes& image) {
  namespace pe = loader::pe;
  constexpr uint32_t headers = 0x80;
  image.put(image_base, pe::dos_magic);
  image.put(image_base + pe::new_header_offset, headers);
  image.put(image_base + headers, pe::pe_signature);
  pe::FileHeader file{};
  file.machine = pe::machine_amd64;
  file.number_of_sections = 1;
  file.size_of_optional_header = sizeof(pe::OptionalHeader) + pe::directory_count * sizeof(pe::DataDirectory);
  file.characteristics = 0x22;  // executable, large address aware
  image.put(image_base + headers + 4, file);
  pe::OptionalHeader optional{};
  optional.magic = pe::optional_magic_pe32_plus;
  optional.address_of_entry_point = static_cast<uint32_t>(code - image_base);
  optional.base_of_code = optional.address_of_entry_point;
  optional.image_base = image_base;
  optional.section_alignment = optional.file_alignment = 0x1000;
  optional.major_subsystem_version = 6;
  optional.size_of_image = static_cast<uint32_t>(image_end - image_base);
  optional.size_of_headers = 0x1000;
  optional.subsystem = 10;  // EFI application
  optional.number_of_rva_and_sizes = pe::directory_count;
  image.put(image_base + headers + 4 + sizeof(file), optional);
  pe::SectionHeader section{};
  std::memcpy(section.name, "all", 3);
  section.virtual_address = section.pointer_to_raw_data = 0x1000;
  section.virtual_size = section.size_of_raw_data = static_cast<uint32_t>(image_end - code);
  section.characteristics = pe::section_code | pe::section_execute | pe::section_read | pe::section_write;
  image.put(image_base + headers + 4 + sizeof(file) + file.size_of_optional_header, section);
}

}  // namespace

const GuestProgram& program(const char* name) {
#define BENCH_CODE(name) std::span{bench_##name##_begin, bench_##name##_end}
  static const GuestProgram programs[] = {
      {"compute", BENCH_CODE(compute), 20'000'000, 7},
      {"memory", BENCH_CODE(memory), 6'000'000, 8},
      {"call", BENCH_CODE(call), 4'000'000, 12},
      {"tlb_resident", BENCH_CODE(tlb_resident), 200'000, 4 * 64 + 5},
      {"tlb_conflict", BENCH_CODE(tlb_conflict), 20'000, 4 * 64 + 5},
      {"tlb_flushed", BENCH_CODE(tlb_flushed), 10'000, 4 * 64 + 6},
      {"vtl_round_trip", BENCH_CODE(vtl_round_trip), 500'000, 15},
      {"hypercall", BENCH_CODE(hypercall), 1'000'000, 8},
      {"flush_hypercall", BENCH_CODE(flush_hypercall), 500'000, 9},
      {"four_processors", BENCH_CODE(four_processors), 5'000'000, 4 * 7},
      {"events", BENCH_CODE(events), 5'000, 4'030},
      {"crowd", BENCH_CODE(crowd), 50'000, 400},
  };
#undef BENCH_CODE
  for (const GuestProgram& candidate : programs) {
    if (std::string_view{candidate.name} == name) return candidate;
  }
  CHECK_MSG(false, "there is no program of this name");
  return programs[0];
}

std::vector<uint8_t> firmware_with(const GuestProgram& program, uint64_t rounds) {
  ImageBytes image;
  put_headers(image);
  image.put(code, program.code.data(), program.code.size());
  image.put(code + rounds_operand, rounds);
  image.put(data, abi::boot::LaunchBlock{.size = sizeof(abi::boot::LaunchBlock), .version = 1, .flags = 0, .reserved = {}});
  const auto place = [&](const uint8_t* label) { return code + static_cast<uint64_t>(label - program.code.data()); };
  const std::string_view name{program.name};
  put_hypercall_inputs(image, name == "events"  ? place(bench_events_vtl1)
                              : name == "crowd" ? place(bench_crowd_vtl1)
                                                : code + static_cast<uint64_t>(bench_vtl_round_trip_vtl1 - bench_vtl_round_trip_begin));
  put_interrupt_table(image);
  if (name == "events") put_gate(image, timer_vector, place(bench_events_timer));
  if (name == "crowd") put_gate(image, timer_vector, place(bench_crowd_timer));
  if (name == "crowd") put_gate(image, invalid_vector, place(bench_crowd_invalid));
  put_far_tables(image);
  return image.take();
}

}  // namespace bench
