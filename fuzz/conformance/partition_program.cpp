// The random code of a partition, one step after the other; each begins by saying where to go on if it faults.
#include <cstring>

#include "fuzz/conformance/partition_world.h"
#include "vtl/call_fields.h"

namespace soak {

using namespace abi::hv;

namespace {

constexpr uint64_t slot_bytes = 0x400, slot_count = 0x100;

}  // namespace

PartitionProgram::PartitionProgram(support::Prng& random, unsigned vtl, uint64_t at)
    : random_{random}, vtl_{vtl}, at_{at}, next_slot_{vtl * slot_count / 2} {}

void PartitionProgram::emit(std::initializer_list<unsigned> bytes) {
  for (const unsigned byte : bytes)
    bytes_.push_back(static_cast<uint8_t>(byte));
}
void PartitionProgram::imm32(uint64_t value) {
  for (unsigned i = 0; i < 4; ++i)
    bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
}
void PartitionProgram::imm64(uint64_t value) {
  imm32(value);
  imm32(value >> 32);
}
/// MOV r64, imm64.
void PartitionProgram::load(unsigned gpr, uint64_t value) {
  emit({gpr >= 8 ? 0x49u : 0x48u, 0xb8 + (gpr & 7)});
  imm64(value);
}

void PartitionProgram::step() {
  if (bytes_.size() > 0x7000) return;
  emit({0x48, 0xc7, 0x04, 0x25});  // mov qword [cell], next
  imm32(cells + vtl_ * 64);
  const size_t fixup = bytes_.size();
  imm32(0);
  switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      hypercall();
      break;
    case 4:
      vtl_switch();
      break;
    case 5:
    case 6:
      msr();
      break;
    case 7:
      page_table();
      break;
    case 8:
      control_register();
      break;
    case 9:
    case 10:
      touch();
      break;
    default:
      raw();
      break;
  }
  const auto next = static_cast<uint32_t>(at_ + bytes_.size());
  std::memcpy(bytes_.data() + fixup, &next, sizeof next);
}

/// Back to the beginning.
void PartitionProgram::finish() {
  emit({0xe9});
  imm32(uint64_t{0} - (bytes_.size() + 4));
}

void PartitionProgram::hypercall() {
  size_t index = random_.below(call_count);
  while (calls[index].shape == CallShape::NotImplemented && !random_.one_in(40))
    index = random_.below(call_count);
  const CallInfo& call = calls[index];
  const uint64_t count = call.element == 0   ? 0
                         : random_.one_in(8) ? random_.below(4096)
                                             : 1 + random_.below(8);
  HypercallControl control{static_cast<uint64_t>(call.code) | count << 32};
  if (random_.one_in(6)) control.raw ^= uint64_t{1} << random_.below(64);
  if (random_.one_in(10))
    control = control.with_rep_start(static_cast<uint16_t>(random_.below(4096)));
  if (has_variable_header(call.shape)) control.raw |= random_.below(4) << 17;
  const bool fast = random_.one_in(4);
  if (fast) control = control.with_fast(true);
  if (random_.one_in(20)) control.raw = random_.next();
  const uint64_t slot = slots + (next_slot_++ % slot_count) * slot_bytes;
  Block block{slot, std::vector<uint8_t>(slot_bytes)};
  const auto fill = [&](std::span<const abi::Field> fields, size_t at) {
    for (const abi::Field& field : fields) {
      if (at + field.offset + field.size > block.bytes.size()) return;
      if (field.kind == abi::FieldKind::Bytes && field.size == sizeof(InitialVpContext)) {
        const InitialVpContext context = test::good_context();
        std::memcpy(block.bytes.data() + at + field.offset, &context, sizeof context);
        continue;
      }
      const uint64_t chosen = field_value(field);
      std::memcpy(block.bytes.data() + at + field.offset, &chosen, std::min<size_t>(field.size, 8));
    }
  };
  fill(vtl::call_fields[index].header, 0);
  for (uint64_t i = 0; i < std::min<uint64_t>(count, 64); ++i)
    fill(vtl::call_fields[index].element, call.header + i * call.element);
  if (random_.one_in(8))
    block.bytes[random_.below(64)] ^= static_cast<uint8_t>(1u << random_.below(8));
  uint64_t rdx = random_.one_in(10) ? address() : slot,
           r8 = random_.one_in(10) ? address() : test::output_page;
  if (fast) {
    std::memcpy(&rdx, block.bytes.data(), 8);
    std::memcpy(&r8, block.bytes.data() + 8, 8);
    for (unsigned i = 0; i < 6; ++i) {  // movups xmm, [slot + 16 + 16 i]
      emit({0x0f, 0x10, 0x04 | i << 3, 0x25});
      imm32(slot + 16 + 16 * i);
    }
  }
  load(vtl::Rcx, control.raw);
  load(vtl::Rdx, rdx);
  load(vtl::R8, r8);
  emit({0x0f, 0x01, random_.one_in(30) ? 0xd9u : 0xc1u});
  blocks_.push_back(std::move(block));
}

void PartitionProgram::vtl_switch() {
  load(vtl::Rcx, random_.one_in(12) ? random_.next() : vtl_ == 0 ? 0x11 : 0x12);
  load(vtl::Rax, random_.one_in(12) ? random_.next() : random_.below(2));
  emit({0x0f, 0x01, 0xc1});
}

void PartitionProgram::msr() {
  uint32_t number = synthetic_msrs[random_.below(std::size(synthetic_msrs))].number;
  static constexpr uint32_t others[] = {0x1b,       0x6e0,      0x277,      0x1a0,      0x174,
                                        0x175,      0x176,      0xc0000080, 0xc0000081, 0xc0000082,
                                        0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103,
                                        0x10,       0xfe,       0x8b};
  switch (random_.below(4)) {
    case 0:
      number = others[random_.below(std::size(others))];
      break;
    case 1:
      number = 0x800 + static_cast<uint32_t>(random_.below(0x48));
      break;
    case 2:
      if (random_.one_in(3)) number = static_cast<uint32_t>(random_.next());
      break;
    default:
      break;
  }
  const uint64_t chosen = random_.one_in(2) ? address() | random_.below(2) : value();
  const bool write = !random_.one_in(3) && number != msr::Reset;
  load(vtl::Rcx, number);
  load(vtl::Rax, chosen & 0xffffffff);
  load(vtl::Rdx, chosen >> 32);
  emit({0x0f, write ? 0x30u : 0x32u});
}

/// Changes an entry of the tables that map this very code, and perhaps says so.
void PartitionProgram::page_table() {
  const uint64_t page = random_.one_in(2) ? (test::victim_page >> 12) + random_.below(8)
                                          : random_.below(test::guest_bytes >> 12);
  const uint64_t entry = page_maps + 0x3000 + page * 8;
  uint64_t content = page << 12 | 7;
  switch (random_.below(5)) {
    case 0:
      content ^= uint64_t{1} << random_.below(64);
      break;
    case 1:
      content = (random_.below(test::guest_bytes >> 12) << 12) | random_.below(0x200);
      break;
    case 2:
      content |= uint64_t{1} << 63;
      break;
    case 3:
      content &= ~uint64_t{2};
      break;
    default:
      break;
  }
  load(vtl::Rax, content);
  emit({0x48, 0x89, 0x04, 0x25});  // mov [entry], rax
  imm32(entry);
  if (!random_.one_in(3)) {
    emit({0x0f, 0x01, 0x3c, 0x25});  // invlpg [page]
    imm32(page << 12);
  }
}

void PartitionProgram::control_register() {
  static constexpr uint64_t cr4_bits[] = {1 << 2,  1 << 7,  1 << 16, 1 << 17,
                                          1 << 20, 1 << 21, 1 << 18, 1 << 11};
  switch (random_.below(5)) {
    case 0:
      emit({0x0f, 0x20, 0xe0, 0x48, 0x0f, 0xba, 0xf8});  // mov rax, cr4; btc rax, bit
      emit({static_cast<unsigned>(std::countr_zero(cr4_bits[random_.below(std::size(cr4_bits))]))});
      emit({0x0f, 0x22, 0xe0});
      break;
    case 1:
      emit({0x0f, 0x20, 0xc0, 0x48, 0x0f, 0xba, 0xf8});
      emit({random_.one_in(2) ? 16u : static_cast<unsigned>(random_.below(20))});
      emit({0x0f, 0x22, 0xc0});
      break;
    case 2:
      load(vtl::Rax,
           random_.one_in(4) ? address() : page_maps | (random_.one_in(3) ? random_.below(8) : 0));
      emit({0x0f, 0x22, 0xd8});
      break;
    case 3:
      emit({0x0f, 0x23, 0xc0 | static_cast<unsigned>(random_.below(8)) << 3});  // mov drN, rax
      break;
    default:
      emit({0x44, 0x0f, 0x22, 0xc0});  // mov cr8, rax
      break;
  }
}

/// Reads, writes, or executes somewhere.
void PartitionProgram::touch() {
  load(vtl::Rbx, random_.one_in(6) ? 0xfee00000 + 16 * random_.below(64) : address());
  switch (random_.below(8)) {
    case 0:
      return emit({0x48, 0x8b, 0x03});  // mov rax, [rbx]
    case 1:
      return emit({0x48, 0x89, 0x0b});
    case 2:
      return emit({0xf0, 0x48, 0x0f, 0xc1, 0x13});  // lock xadd [rbx], rdx
    case 3:
      return emit({0x8b, 0x03});
    case 4:
      return emit({0x89, 0x03});
    case 5:
      emit({0xb1, static_cast<unsigned>(random_.below(256)), 0x48, 0x89, 0xdf, 0x0f, 0xb6, 0xc9,
            0xf3, 0xaa});
      return;  // mov cl, n; mov rdi, rbx; movzx ecx, cl; rep stosb
    case 6:
      return emit({0xff, 0xd3});  // call rbx
    default:
      return emit({0x0f, 0x11, 0x03});
  }
}

void PartitionProgram::raw() {
  static constexpr unsigned interesting[] = {0xfa, 0xfb, 0xf4, 0x9c, 0x9d, 0xcc, 0xec, 0xee, 0x90};
  switch (random_.below(4)) {
    case 0:
      return emit({interesting[random_.below(std::size(interesting))]});
    case 1:
      load(vtl::Rax, random_.one_in(2) ? 0x40000000 + random_.below(12) : random_.below(0x20));
      return emit({0x0f, 0xa2});
    default:
      for (unsigned i = 0; i < 8; ++i)
        emit({static_cast<unsigned>(random_.below(256))});
  }
}

uint64_t PartitionProgram::value() {
  return random_.next() >> random_.below(64);
}

uint64_t PartitionProgram::address() {
  static constexpr uint64_t pages[] = {test::victim_page,
                                       test::victim_page + 0x1000,
                                       test::victim_page + 0x2000,
                                       test::assist_page1,
                                       test::message_page1,
                                       test::assist_page0,
                                       test::hypercall_page,
                                       test::output_page,
                                       test::guest_bytes - 4096,
                                       test::guest_bytes,
                                       0,
                                       uint64_t{1} << 40,
                                       code,
                                       code + 0x8000,
                                       uint64_t{1} << 47,
                                       tables,
                                       page_maps};
  const uint64_t page = random_.one_in(4) ? random_.below(test::guest_bytes / 4096) * 4096
                                          : pages[random_.below(std::size(pages))];
  return page + (random_.one_in(2) ? random_.below(4096) : 0);
}

uint64_t PartitionProgram::field_value(const abi::Field& field) {
  using abi::FieldKind;
  switch (field.kind) {
    case FieldKind::Vtl:
      return random_.one_in(4) ? random_.next() : (random_.below(2) << 4 | random_.below(3));
    case FieldKind::Gpa:
      return random_.one_in(4) ? random_.next() : address() / 4096;
    case FieldKind::Reserved:
      return random_.one_in(20) ? random_.next() : 0;
    case FieldKind::Flags:
      return random_.one_in(4) ? random_.next() : random_.below(16);
    case FieldKind::Register:
      if (random_.one_in(10)) return random_.next();
      return static_cast<uint64_t>(vp_registers[random_.below(vp_register_count)].number);
    default:
      break;
  }
  const std::string_view name = field.name;
  if (name == "target_partition") return random_.one_in(10) ? random_.next() : partition_self;
  if (name == "target_vp") return random_.one_in(4) ? random_.below(4) : vp_self;
  return random_.one_in(4) ? address() : value();
}

}  // namespace soak
