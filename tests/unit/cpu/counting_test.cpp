// Blocks that count themselves: the call of the hook that is rewritten, and what the engine makes of it.
#include <algorithm>
#include <array>
#include <cstring>

#include "sim/cpu/block_counter.h"
#include "sim/cpu/unicorn_engine.h"
#include "sim/cpu/unicorn_loaded.h"
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

constexpr size_t code_size = cpu::longest_hook_call + cpu::behind_hook_call;
using HostCode = std::array<uint8_t, code_size>;

/// `loads` are the arguments' instructions; CALL [RIP + distance] follows, and MOV EBX, [RBP - 16].
HostCode hook_call(const std::vector<uint8_t>& loads) {
  HostCode code;
  code.fill(0xcc);
  const uint8_t end[] = {0xff, 0x15, 0x84, 0, 0, 0, 0x8b, 0x5d, 0xf0};
  std::copy(std::begin(end), std::end(end), code.end() - sizeof end);
  std::copy(loads.begin(), loads.end(), code.end() - static_cast<std::ptrdiff_t>(sizeof end + loads.size()));
  return code;
}

std::vector<uint8_t> operator+(std::vector<uint8_t> a, const std::vector<uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <class T>
std::vector<uint8_t> bytes_of(T value) {
  std::vector<uint8_t> result(sizeof value);
  std::memcpy(result.data(), &value, sizeof value);
  return result;
}

constexpr uint64_t engine = 0x7711223344556677, user = 0x7788990011223344;
const std::vector<uint8_t> load_engine = std::vector<uint8_t>{0x48, 0xbf} + bytes_of(engine);
const std::vector<uint8_t> load_size_and_user = std::vector<uint8_t>{0xba, 0x26, 0, 0, 0, 0x48, 0xb9} + bytes_of(user);

cpu::HookCall call_of_block_at(uint64_t address) {
  return {nullptr, reinterpret_cast<const void*>(engine), address, 0x26, reinterpret_cast<const void*>(user)};
}

uint8_t* rewrite(HostCode& code, uint64_t address, uint16_t count = 5) {
  return cpu::count_in_place(code, call_of_block_at(address), count, 0x12345);
}

struct Form {
  uint64_t address;
  std::vector<uint8_t> load;
};
const Form forms[] = {{0x101037, {0xbe, 0x37, 0x10, 0x10, 0}},
                      {0xffffffff'80101037, {0x48, 0xc7, 0xc6, 0x37, 0x10, 0x10, 0x80}},
                      {0xfffff801'02010cb0, std::vector<uint8_t>{0x48, 0xbe} + bytes_of(0xfffff801'02010cb0)}};

}  // namespace

TEST_CASE("a call of the block hook becomes three instructions, and a call for when they have counted down") {
  for (const Form& form : forms) {
    for (const uint16_t count : std::initializer_list<uint16_t>{1, 127, 128, 300}) {
      const auto loads = load_engine + form.load + load_size_and_user;
      HostCode code = hook_call(loads);
      const HostCode before = code;
      REQUIRE(rewrite(code, form.address, count) != nullptr);
      const auto first = code.end() - static_cast<std::ptrdiff_t>(9 + loads.size());
      EXPECT(std::equal(code.begin(), first, before.begin()));        // what stands before it
      EXPECT(std::equal(code.end() - 9, code.end(), before.end() - 9));  // the call and what follows
      auto expected = count < 128 ? std::vector<uint8_t>{0x48, 0x83, 0x6d, 0xf8, static_cast<uint8_t>(count)}
                                  : std::vector<uint8_t>{0x48, 0x81, 0x6d, 0xf8} + bytes_of<uint32_t>(count);
      expected = expected + std::vector<uint8_t>{0xc7, 0x45, 0xf4, 0x45, 0x23, 0x01, 0, 0x79};
      const size_t jump_end = expected.size() + 1;
      expected = expected + std::vector<uint8_t>{static_cast<uint8_t>(loads.size() + 6 - jump_end), 0x48, 0xb9} +
                 bytes_of(user + 1);
      expected.resize(loads.size(), 0x90);
      EXPECT(std::equal(expected.begin(), expected.end(), first));
    }
  }
}

TEST_CASE("a call of the hook with any byte that is not as expected stays as it is") {
  for (const Form& form : forms) {
    const auto loads = load_engine + form.load + load_size_and_user;
    for (size_t changed = code_size - 9 - loads.size(); changed < code_size; ++changed) {
      if (changed >= code_size - 7 && changed < code_size - 3) continue;  // where the call's target is stored
      if (changed == code_size - 2) continue;                             // any register but the base
      HostCode code = hook_call(loads);
      code[changed] ^= 0x10;
      const HostCode before = code;
      CAPTURE(form.address, changed);
      EXPECT(rewrite(code, form.address) == nullptr);
      EXPECT(code == before);
    }
  }
}

TEST_CASE("addresses near the code are loaded relative to it, and low ones in 32 bits; a call without room stays") {
  HostCode code{};
  const auto near = reinterpret_cast<uintptr_t>(code.data()) + 0x1000;
  const auto lea = [&](uint8_t modrm, size_t end) {
    const auto distance = static_cast<int32_t>(near - (reinterpret_cast<uintptr_t>(code.data()) + end));
    return std::vector<uint8_t>{0x48, 0x8d, modrm} + bytes_of(distance);
  };
  const std::vector<uint8_t> load_size{0xba, 0x26, 0, 0, 0};
  constexpr size_t end = code_size - 9;
  for (const Form& form : forms) {
    for (const bool low : {false, true}) {
      for (const uint16_t count : std::initializer_list<uint16_t>{5, 500}) {
        constexpr uint32_t low_address = 0x4567890;
        const uint64_t both = low ? low_address : near;
        const auto loads = low ? std::vector<uint8_t>{0xbf} + bytes_of(low_address) + form.load + load_size +
                                     std::vector<uint8_t>{0xb9} + bytes_of(low_address)
                               : lea(0x3d, end - 12 - form.load.size()) + form.load + load_size + lea(0x0d, end);
        code = hook_call(loads);
        const HostCode before = code;
        const bool room = loads.size() >= (count < 128 ? 5u : 8u) + 7 + 2 + (low ? 5 : 7);
        const auto* const pointer = reinterpret_cast<const void*>(both);
        EXPECT((cpu::count_in_place(code, {nullptr, pointer, form.address, 0x26, pointer}, count, 1) != nullptr) == room);
        EXPECT((code == before) == !room);
      }
    }
  }
}

TEST_CASE("the call may be a direct one, if it is of the hook") {
  const auto loads = load_engine + forms[0].load + load_size_and_user;
  HostCode code{};
  const uint8_t* const behind = code.data() + cpu::longest_hook_call;
  for (const int wrong : {1, 0}) {
    const int32_t distance = 0x1234;
    const auto all = loads + std::vector<uint8_t>{0xe8} + bytes_of(distance) + std::vector<uint8_t>{0x8b, 0x5d, 0xf0};
    code.fill(0xcc);
    std::copy(all.begin(), all.end(), code.end() - static_cast<std::ptrdiff_t>(all.size()));
    auto call = call_of_block_at(forms[0].address);
    call.hook = behind + distance + wrong;
    EXPECT((cpu::count_in_place(code, call, 5, 1) != nullptr) == (wrong == 0));
  }
  const size_t jump = code_size - 8 - loads.size() + 5 + 7;  // from JNS to the instruction behind the call
  EXPECT(code[jump] == 0x79);
  EXPECT(jump + 2 + code[jump + 1] == cpu::longest_hook_call);
}

TEST_CASE("a rewritten block can be made to call each time, and other code in its place stays") {
  HostCode code = hook_call(load_engine + forms[0].load + load_size_and_user);
  uint8_t* const place = rewrite(code, forms[0].address);
  REQUIRE(place != nullptr);
  const HostCode before = code;
  HostCode calling = before;
  calling[static_cast<size_t>(place - code.data())] = 0x70;  // JO, never taken, instead of JNS
  cpu::call_always(place, 0x12345, true);
  EXPECT(code == calling);
  cpu::call_always(place, 0x12346, false);  // this is another block's number
  EXPECT(code == calling);
  cpu::call_always(place, 0x12345, false);
  EXPECT(code == before);
  *place = 0x90;
  cpu::call_always(place, 0x12345, true);
  EXPECT(*place == 0x90);
}

TEST_CASE("blocks of the pinned library count themselves, to the instruction") {
  World world{cpu::Gear::Fast};
  // L: inc eax; test eax, 7; jz M; nop; M: dec ecx; jnz L; hlt
  world.put(kernel_code, {0xff, 0xc0, 0xa9, 7, 0, 0, 0, 0x74, 0x01, 0x90, 0xff, 0xc9, 0x75, 0xf2, 0xf4});
  cpu::CodePages pages{world.memory};
  pages.prepare(kernel_code / abi::page_size);
  const char* failure = nullptr;
  const auto made = cpu::UnicornEngine::open({cpu::Gear::Fast}, world.memory, world.translator, pages, failure);
  REQUIRE(made != nullptr);
  cpu::RegisterTransfer transfer;
  world.gpr(vtl::Rcx) = 1000;
  (void)transfer.load(world.vp, *made);
  made->set_space(world.address_space(world.vp));
  made->deadline = 4000;
  cpu::Stop stop{};
  do {
    made->synchronise();
    stop = made->run();
  } while (stop == cpu::Stop::Refused && made->refusal.kind == cpu::RefusalKind::Retry);
  // 8 rounds have 5 instructions 8 times and one NOP less than that: 47. The block of the deadline is not begun.
  EXPECT(stop == cpu::Stop::Step);
  EXPECT(made->now <= 4000);
  EXPECT(made->now + 3 > 4000);
  EXPECT(made->counting_blocks() == 3);
  const uint64_t rounds = 1000 - made->registers->gpr[vtl::Rcx];
  EXPECT(made->now - (6 * rounds - rounds / 8) < 6);
  made->deadline = 10000;
  made->synchronise();
  EXPECT(made->run() == cpu::Stop::Exit);  // HLT
  EXPECT(made->now == 6 * 1000 - 1000 / 8);
}
