#include "sim/cpu/block_counter.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

namespace cpu {
namespace {

enum HostRegister : uint8_t { Rcx = 1, Rdx = 2, Rsi = 6, Rdi = 7 };

constexpr uint8_t rex_w = 0x48;
constexpr size_t longest_load = 10;  // MOV r64, imm64

/// Distance from the register file to a field of the counter, in a byte.
constexpr uint8_t below(size_t field) { return static_cast<uint8_t>(field - sizeof(BlockCounter)); }

/// What a count cannot do to the counter is to overflow it: such a jump is never taken.
constexpr uint8_t jump_if_overflow = 0x70, jump_if_not_negative = 0x79;

/// Machine code of the host, written from front to back.
class HostCode {
 public:
  explicit HostCode(std::span<uint8_t> to) : to_{to} {}
  HostCode& bytes(std::initializer_list<uint8_t> values) {
    for (const uint8_t value : values) to_[size_++] = value;
    return *this;
  }
  template <class T>
  HostCode& value(const T& what) {
    std::memcpy(&to_[size_], &what, sizeof what);
    size_ += sizeof what;
    return *this;
  }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  std::span<uint8_t> to_;
  size_t size_{};
};

/// Distance from the end of an instruction to what it addresses, if 32 bits can hold it.
bool reaches(const uint8_t* end, uint64_t value, int32_t& distance) {
  const auto full = static_cast<int64_t>(value - reinterpret_cast<uintptr_t>(end));
  distance = static_cast<int32_t>(full);
  return distance == full;
}

/// The shortest load of an address. The code will be at `place`.
void write_load(HostCode& code, const uint8_t* place, HostRegister to_register, uint64_t value) {
  constexpr size_t lea_size = 7;
  const auto move = static_cast<uint8_t>(0xb8 | to_register);
  int32_t distance = 0;
  if (value <= 0xffffffff) {
    code.bytes({move}).value(static_cast<uint32_t>(value));
  } else if (reaches(place + code.size() + lea_size, value, distance)) {
    code.bytes({rex_w, 0x8d, static_cast<uint8_t>(0x05 | to_register << 3)}).value(distance);
  } else {
    code.bytes({rex_w, move}).value(value);
  }
}

constexpr size_t number_size = 7;

/// MOV [entered], number
void write_number(HostCode& code, uint32_t number) {
  code.bytes({0xc7, 0x45, below(offsetof(BlockCounter, entered))}).value(number);
}

/// Size of the instruction that ends where `code` ends and loads `value`, in one of the forms that the library has for
/// it; zero if there is none.
size_t size_of_load(std::span<const uint8_t> code, HostRegister to_register, uint64_t value) {
  const auto ends_with = [&](std::initializer_list<uint8_t> opcode, uint64_t operand, size_t operand_size) {
    const size_t size = opcode.size() + operand_size;
    if (code.size() < size) return size_t{0};
    const uint8_t* const at = code.data() + code.size() - size;
    if (std::memcmp(at, opcode.begin(), opcode.size()) != 0) return size_t{0};
    return std::memcmp(at + opcode.size(), &operand, operand_size) == 0 ? size : size_t{0};
  };
  const uint8_t move = 0xb8 | to_register;
  if (const size_t size = ends_with({rex_w, move}, value, 8)) return size;
  int32_t distance = 0;
  if (reaches(code.data() + code.size(), value, distance)) {
    const auto modrm = static_cast<uint8_t>(0x05 | to_register << 3);
    if (const size_t size = ends_with({rex_w, 0x8d, modrm}, static_cast<uint32_t>(distance), 4)) return size;
  }
  if (static_cast<uint64_t>(static_cast<int32_t>(value)) == value) {
    const auto modrm = static_cast<uint8_t>(0xc0 | to_register);
    if (const size_t size = ends_with({rex_w, 0xc7, modrm}, value, 4)) return size;
  }
  return value <= 0xffffffff ? ends_with({move}, value, 4) : 0;
}

/// Of the call that ends where `code` ends: CALL [RIP + distance], or CALL of the hook where that reaches. Zero: neither.
size_t size_of_call(std::span<const uint8_t> code, const HookCall& call) {
  constexpr size_t indirect = 6, direct = 5;
  const uint8_t* const end = code.data() + code.size();
  if (end[-6] == 0xff && end[-5] == 0x15) return indirect;
  int32_t distance = 0;
  if (end[-5] != 0xe8 || !reaches(end, reinterpret_cast<uintptr_t>(call.hook), distance)) return 0;
  return std::memcmp(end - sizeof distance, &distance, sizeof distance) == 0 ? direct : 0;
}

/// The instructions that load the arguments of the call and end where `code` ends: empty if they are not there.
std::span<uint8_t> find_arguments(std::span<uint8_t> code, const HookCall& call) {
  const std::pair<HostRegister, uint64_t> loads[] = {
      {Rcx, reinterpret_cast<uintptr_t>(call.user)},
      {Rdx, call.size},
      {Rsi, call.address},
      {Rdi, reinterpret_cast<uintptr_t>(call.engine)}};
  size_t total = 0;
  for (const auto& [to_register, value] : loads) {
    const size_t size = size_of_load(code.first(code.size() - total), to_register, value);
    if (size == 0) return {};
    total += size;
  }
  return code.last(total);
}

}  // namespace

namespace {

/// The place of the arguments' instructions if `code` is such a call, and the size of the call itself: empty if not.
std::span<uint8_t> find_call(std::span<uint8_t, longest_hook_call + behind_hook_call> code, const HookCall& call,
                             size_t& call_size) {
  const std::span<uint8_t> test = code.last(behind_hook_call);
  call_size = size_of_call(code.first(longest_hook_call), call);
  if (call_size == 0) return {};
  // MOV r32, [RBP - 16]: RBP is the register file, and the counter is before it.
  if (test[0] != 0x8b || (test[1] & 0xc7) != 0x45 || test[2] != below(0)) return {};
  return find_arguments(code.first(longest_hook_call - call_size), call);
}

void write_counting(HostCode& code, uint16_t count, uint32_t number) {
  if (count < 0x80) {  // SUB [left], count
    code.bytes({rex_w, 0x83, 0x6d, below(offsetof(BlockCounter, left)), static_cast<uint8_t>(count)});
  } else {
    code.bytes({rex_w, 0x81, 0x6d, below(offsetof(BlockCounter, left))}).value(uint32_t{count});
  }
  write_number(code, number);
}

uint32_t low_address(const void* at) { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(at)); }

/// RCX and RDX are free as arguments of the call that would have been made; the flags too.
void write_coverage(HostCode& code, const CoverageOfBlock& coverage) {
  code.bytes({0x8b, 0x0c, 0x25}).value(low_address(coverage.previous));                       // MOV ECX, [previous]
  code.bytes({0xc7, 0x04, 0x25}).value(low_address(coverage.previous)).value(coverage.next);  // MOV [previous], next
  code.bytes({0x89, 0xca, 0x81, 0xe2}).value(coverage.nothing);                               // MOV EDX, ECX; AND EDX, nothing
  code.bytes({0xc6, 0x82}).value(low_address(coverage.block)).bytes({1});                     // MOV [block + RDX], 1
  code.bytes({0x81, 0xf1}).value(coverage.target);                                            // XOR ECX, target
  code.bytes({0x0f, 0xb6, 0x91}).value(low_address(coverage.edges));                          // MOVZX EDX, [edges + RCX]
  code.bytes({0x80, 0xc2, 1, 0x80, 0xd2, 0});                                                 // ADD DL, 1; ADC DL, 0
  code.bytes({0x88, 0x91}).value(low_address(coverage.edges));                                // MOV [edges + RCX], DL
}

constexpr size_t jump_size = 5;

/// JMP from the end of `code`, which will be at `place`. False: too far.
bool write_jump(HostCode& code, const uint8_t* place, const uint8_t* to) {
  int32_t distance = 0;
  if (!reaches(place + code.size() + jump_size, reinterpret_cast<uintptr_t>(to), distance)) return false;
  code.bytes({0xe9}).value(distance);
  return true;
}

constexpr uint8_t no_operation = 0x90;

}  // namespace

uint8_t* count_in_place(std::span<uint8_t, longest_hook_call + behind_hook_call> code, const HookCall& call,
                        uint16_t count, uint32_t number) {
  size_t call_size = 0;
  const std::span<uint8_t> to = find_call(code, call, call_size);
  if (to.empty()) return nullptr;
  // RCX and the flags are free: the translated code takes them for lost in the call.
  uint8_t buffer[8 + number_size + 2 + longest_load];
  HostCode counting{buffer};
  write_counting(counting, count, number);
  counting.bytes({jump_if_not_negative, 0});  // behind the call
  const size_t jump_end = counting.size(), distance = jump_end - 1;
  write_load(counting, to.data(), Rcx, reinterpret_cast<uintptr_t>(call.user) | 1);
  if (counting.size() > to.size()) return nullptr;
  buffer[distance] = static_cast<uint8_t>(to.size() - jump_end + call_size);
  std::memset(to.data(), no_operation, to.size());
  std::memcpy(to.data(), buffer, counting.size());
  return &to[jump_end - 2];
}

uint8_t* count_outside(std::span<uint8_t, longest_hook_call + behind_hook_call> code, const HookCall& call,
                       uint16_t count, uint32_t number, const CoverageOfBlock& coverage,
                       std::span<uint8_t, longest_outside> outside) {
  size_t call_size = 0;
  const std::span<uint8_t> to = find_call(code, call, call_size);
  if (to.empty()) return nullptr;
  uint8_t inside[jump_size + longest_load];
  HostCode there{inside};
  if (!write_jump(there, to.data(), outside.data())) return nullptr;
  write_load(there, to.data(), Rcx, reinterpret_cast<uintptr_t>(call.user) | 1);
  if (there.size() > to.size()) return nullptr;
  HostCode counting{outside};
  write_counting(counting, count, number);
  uint8_t* const place = outside.data() + counting.size();
  counting.bytes({jump_if_not_negative, jump_size});
  if (!write_jump(counting, outside.data(), to.data() + jump_size)) return nullptr;
  write_coverage(counting, coverage);
  if (!write_jump(counting, outside.data(), to.data() + to.size() + call_size)) return nullptr;
  std::memset(to.data(), no_operation, to.size());
  std::memcpy(to.data(), inside, there.size());
  return place;
}

void call_always(uint8_t* place, uint32_t number, bool always) {
  uint8_t buffer[number_size];
  HostCode before{buffer};
  write_number(before, number);
  if (std::memcmp(place - number_size, buffer, number_size) != 0) return;
  if (*place != jump_if_not_negative && *place != jump_if_overflow) return;
  *place = always ? jump_if_overflow : jump_if_not_negative;
}

std::span<uint8_t> writable_code_at(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    char rights[5]{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) != 3) continue;
    if (wanted < begin || wanted >= end) continue;
    if (std::strncmp(rights, "rwx", 3) != 0) return {};
    return {reinterpret_cast<uint8_t*>(begin), end - begin};
  }
  return {};
}

}  // namespace cpu
