// Unwinding, rule by rule: an image made here, with .pdata and .xdata of each kind, and code at each position of it.
#include <cstring>
#include <fmt/format.h>

#include <algorithm>

#include "sim/symbols/unwind.h"
#include "tests/support/catch.h"
#include "tests/unit/loader/pe_builder.h"

using namespace symbols;
using Catch::Matchers::ContainsSubstring;
using vtl::Vtl;

namespace {

constexpr uint64_t base = 0x140000000, stack_base = 0x7f0000;

/// An image whose code and unwind information are put together by the test. Code at RVA 0x1000, .pdata and .xdata at
/// 0x2000.
class World {
 public:
  World() : image_(0x4000), stack_(0x1000) {}

  uint32_t code(uint32_t rva, std::initializer_list<int> bytes) {
    for (const int byte : bytes) image_[rva++] = static_cast<uint8_t>(byte);
    return rva;
  }
  /// UNWIND_INFO at `rva`: version and flags, size of the prologue, frame register and offset, codes as pairs of bytes.
  void info(uint32_t rva, int version_flags, int prologue, int frame, std::vector<std::pair<int, int>> codes) {
    code(rva, {version_flags, prologue, static_cast<int>(codes.size()), frame});
    rva += 4;
    for (const auto& [offset, operation] : codes) rva = code(rva, {offset, operation});
  }
  void put32(uint32_t rva, uint32_t value) { std::memcpy(image_.data() + rva, &value, sizeof value); }
  void function(uint32_t begin, uint32_t end, uint32_t unwind) { functions_.push_back({begin, end, unwind}); }
  void word(uint64_t address, uint64_t value) {
    std::memcpy(stack_.data() + (address - stack_base), &value, sizeof value);
  }

  [[nodiscard]] Frame frame(uint32_t rva, uint64_t rsp) const {
    Frame frame;
    frame.registers.rip = base + rva;
    frame.registers.gpr[vtl::Rsp] = rsp;
    for (const uint8_t gpr : {vtl::Rbx, vtl::Rbp, vtl::Rsi, vtl::Rdi, vtl::R12, vtl::R13, vtl::R14, vtl::R15})
      frame.registers.gpr[gpr] = 0x1000u + gpr;
    return frame;
  }

  support::Result<Frame> caller(const Frame& frame) {
    build();
    return unwind_once(frame, world());
  }
  Frame caller_of(uint32_t rva, uint64_t rsp) {
    auto caller = this->caller(frame(rva, rsp));
    INFO((caller ? std::string{} : caller.error().message));
    REQUIRE(caller.ok());
    return caller.value();
  }

  [[nodiscard]] UnwindWorld world() {
    UnwindWorld world;
    world.read = [this](Vtl, uint64_t, abi::Gva address, std::span<uint8_t> to) {
      for (size_t i = 0; i < to.size(); ++i) {
        const uint64_t at = address.value() + i;
        if (at - base < image_.size()) to[i] = image_[at - base];
        else if (at - stack_base < stack_.size()) to[i] = stack_[at - stack_base];
        else return false;
      }
      return true;
    };
    world.code = [this](Vtl, uint64_t, uint64_t address) -> std::optional<UnwindWorld::Code> {
      if (address - base >= image_.size()) return std::nullopt;
      return UnwindWorld::Code{base, &table_};
    };
    return world;
  }
  /// Makes the file and reads its .pdata.
  void build() {
    auto table = UnwindTable::parse(file());
    INFO((table ? std::string{} : table.error().message));
    REQUIRE(table.ok());
    table_ = std::move(table.value());
  }
  [[nodiscard]] std::vector<uint8_t> file();

 private:
  std::vector<uint8_t> image_, stack_;
  std::vector<UnwindTable::Entry> functions_;
  UnwindTable table_;
};

std::vector<uint8_t> World::file() {
  using test::PeBuilder;
  constexpr uint32_t pdata = 0x2c00;
  for (size_t i = 0; i < functions_.size(); ++i) {
    put32(pdata + static_cast<uint32_t>(i * 12), functions_[i].begin);
    put32(pdata + static_cast<uint32_t>(i * 12 + 4), functions_[i].end);
    put32(pdata + static_cast<uint32_t>(i * 12 + 8), functions_[i].unwind);
  }
  PeBuilder builder;
  for (uint32_t i = 0; i < 0x200; ++i) builder.put(PeBuilder::text_file + i, image_[PeBuilder::text_rva + i]);
  for (uint32_t i = 0; i < 0x1000; ++i) builder.put(PeBuilder::data_file + i, image_[PeBuilder::data_rva + i]);
  if (!functions_.empty())
    builder.directory(loader::Directory::Exception, pdata, static_cast<uint32_t>(functions_.size() * 12));
  return builder.bytes();
}

/// push rbx; push r12; sub rsp, 0x20; [0x100f..0x101f]; add rsp, 0x20; pop r12; pop rbx; ret.
void usual_function(World& w, int version = 1) {
  uint32_t at = w.code(0x1000, {0x53, 0x41, 0x54, 0x48, 0x83, 0xec, 0x20});
  while (at < 0x1020) at = w.code(at, {0x90});
  w.code(at, {0x48, 0x83, 0xc4, 0x20, 0x41, 0x5c, 0x5b, 0xc3});
  w.function(0x1000, 0x1028, 0x2000);
  w.info(0x2000, version, 7, 0, {{7, 0x32}, {3, 0xc0}, {1, 0x30}});
}
/// The stack as that function finds it: its return address at stack_base + 0x800.
constexpr uint64_t entry_rsp = stack_base + 0x800, back = base + 0x1100;
void usual_stack(World& w) {
  w.word(entry_rsp, back);
  w.word(entry_rsp - 8, 0xbbbb);   // RBX
  w.word(entry_rsp - 16, 0xcccc);  // R12
}

}  // namespace

TEST_CASE("A function is left at every position of its prologue, body and epilogue") {
  struct Row {
    const char* where;
    uint32_t rva;
    uint64_t below;  ///< how far RSP is below the return address
    bool rbx, r12;   ///< their values lie on the stack
  };
  for (const int version : {1, 2}) {
    for (const Row& row :
         {Row{"before anything", 0x1000, 0, false, false}, Row{"after the first push", 0x1001, 8, true, false},
          Row{"after the second", 0x1003, 16, true, true}, Row{"after the prologue", 0x1007, 48, true, true},
          Row{"in the body", 0x1010, 48, true, true}, Row{"before the space is given back", 0x1020, 48, true, true},
          Row{"after it", 0x1024, 16, true, true}, Row{"after the first pop", 0x1026, 8, true, false},
          Row{"at RET", 0x1027, 0, false, false}}) {
      INFO(row.where << ", version " << version);
      World w;
      usual_function(w, version);
      usual_stack(w);
      const Frame caller = w.caller_of(row.rva, entry_rsp - row.below);
      EXPECT(caller.pc() == back);
      EXPECT(caller.sp() == entry_rsp + 8);
      EXPECT(caller.registers.gpr[vtl::Rbx] == (row.rbx ? 0xbbbb : 0x1000u + vtl::Rbx));
      EXPECT(caller.registers.gpr[vtl::R12] == (row.r12 ? 0xcccc : 0x1000u + vtl::R12));
      EXPECT(caller.trusted);
      EXPECT(caller.entered == Entered::Call);
      CHECK_FALSE(caller.knows(vtl::Rax));
      EXPECT(caller.knows(vtl::Rdi));
    }
  }
}

TEST_CASE("A frame register gives the frame back whatever RSP has become, and saves are counted from it") {
  World w;
  // push rbp; sub rsp, 0x50; lea rbp, [rsp+0x20]; mov [rbp+0x10], rsi: a saved register at +0x30 of the frame.
  uint32_t at = w.code(0x1000, {0x55, 0x48, 0x83, 0xec, 0x50, 0x48, 0x8d, 0x6c, 0x24, 0x20, 0x48, 0x89, 0x75, 0x10});
  while (at < 0x1020) at = w.code(at, {0x90});
  w.code(at, {0x48, 0x8d, 0x65, 0x30, 0x5d, 0xc3});  // lea rsp, [rbp+0x30]; pop rbp; ret
  w.function(0x1000, 0x1026, 0x2000);
  w.info(0x2000, 1, 14, 0x25, {{14, 0x64}, {6, 0}, {10, 0x03}, {5, 0x92}, {1, 0x50}});
  w.word(entry_rsp, back);
  w.word(entry_rsp - 8, 0x5555);  // RBP
  const uint64_t frame_base = entry_rsp - 8 - 0x50;
  w.word(frame_base + 0x30, 0x6666);  // RSI
  Frame frame = w.frame(0x1010, frame_base - 0x130);  // something was allocated dynamically
  frame.registers.gpr[vtl::Rbp] = frame_base + 0x20;
  const auto caller = w.caller(frame);
  REQUIRE(caller.ok());
  EXPECT(caller.value().pc() == back);
  EXPECT(caller.value().sp() == entry_rsp + 8);
  EXPECT(caller.value().registers.gpr[vtl::Rbp] == 0x5555);
  EXPECT(caller.value().registers.gpr[vtl::Rsi] == 0x6666);
  frame.registers.rip = base + 0x1020;
  EXPECT(w.caller(frame).value().pc() == back);
  frame.registers.rip = base + 0x1005;  // the frame register is not set yet
  frame.registers.gpr[vtl::Rsp] = frame_base;
  frame.registers.gpr[vtl::Rbp] = 0xdead;
  EXPECT(w.caller(frame).value().pc() == back);
  // VTLs share the register: that of the one that waits is nowhere.
  frame.registers.rip = base + 0x1010;
  frame.registers.known = 1 << vtl::Rsp;
  CHECK_THAT(w.caller(frame).error().message, ContainsSubstring("another VTL uses it"));
}

TEST_CASE("Large allocations of both kinds are given back") {
  for (const auto& [codes, size] :
       {std::pair{std::vector<std::pair<int, int>>{{7, 0x01}, {0x40, 0}}, 0x200u},
        std::pair{std::vector<std::pair<int, int>>{{7, 0x11}, {0x08, 0x03}, {0, 0}}, 0x308u}}) {
    World w;
    for (uint32_t at = 0x1000; at < 0x1040;) at = w.code(at, {0x90});
    w.function(0x1000, 0x1040, 0x2000);
    w.info(0x2000, 1, 7, 0, codes);
    w.word(entry_rsp, back);
    EXPECT(w.caller_of(0x1020, entry_rsp - size).pc() == back);
  }
}

TEST_CASE("Chained unwind information is followed to the function that it belongs to, and circles end") {
  World w;
  usual_function(w);
  usual_stack(w);
  // A part of the function elsewhere, which saved RDI too: mov [rsp+0x10], rdi.
  for (uint32_t at = 0x1080; at < 0x10a0;) at = w.code(at, {0x90});
  w.function(0x1080, 0x10a0, 0x2100);
  w.info(0x2100, 1 | 4 << 3, 5, 0, {{5, 0x74}, {2, 0}});
  for (const uint32_t word : {0u, 1u, 2u}) w.put32(0x2108 + word * 4, std::array{0x1000u, 0x1028u, 0x2000u}[word]);
  w.word(entry_rsp - 48 + 0x10, 0x7777);
  const Frame caller = w.caller_of(0x1090, entry_rsp - 48);
  EXPECT(caller.pc() == back);
  EXPECT(caller.registers.gpr[vtl::Rdi] == 0x7777);
  EXPECT(caller.registers.gpr[vtl::Rbx] == 0xbbbb);

  for (const uint32_t word : {0u, 1u, 2u}) w.put32(0x2108 + word * 4, std::array{0x1080u, 0x10a0u, 0x2100u}[word]);
  CHECK_THAT(w.caller(w.frame(0x1090, entry_rsp - 48)).error().message, ContainsSubstring("does not end"));
}

TEST_CASE("Version 2 lists epilogues, which may end in ways that version 1 forbids") {
  World w;
  // sub rsp, 0x28 ... pop rbx; jmp rax, in the middle of the function; the same again at its end.
  uint32_t at = w.code(0x1000, {0x53, 0x48, 0x83, 0xec, 0x20});
  while (at < 0x1010) at = w.code(at, {0x90});
  at = w.code(at, {0x5b, 0xff, 0xe0});
  while (at < 0x103d) at = w.code(at, {0x90});
  w.code(at, {0x5b, 0xff, 0xe0});
  w.function(0x1000, 0x1040, 0x2000);
  // Each is 3 bytes long; one at the end, one 0x30 bytes before it.
  w.info(0x2000, 2, 5, 0, {{3, 0x16}, {0x30, 0x06}, {5, 0x32}, {1, 0x30}});
  w.word(entry_rsp, back);
  w.word(entry_rsp - 8, 0xbbbb);
  for (const uint32_t rva : {0x1010u, 0x103du}) {
    INFO(rva);
    const Frame caller = w.caller_of(rva, entry_rsp - 8);
    EXPECT(caller.pc() == back);
    EXPECT(caller.registers.gpr[vtl::Rbx] == 0xbbbb);
  }
  EXPECT(w.caller_of(0x1011, entry_rsp).pc() == back);
  EXPECT(w.caller_of(0x1020, entry_rsp - 40).pc() == back);  // the body between them
  // By the rules of version 1 POP RBX; JMP RAX is a body.
  w.info(0x2000, 1, 5, 0, {{5, 0x32}, {1, 0x30}});
  EXPECT(w.caller_of(0x1010, entry_rsp - 40).pc() == back);
}

TEST_CASE("A machine frame leads to what was interrupted, into another ring too") {
  for (const bool error_code : {false, true}) {
    for (const bool system_call : {false, true}) {
      INFO(error_code << system_call);
      World w;
      for (uint32_t at = 0x1000; at < 0x1040;) at = w.code(at, {0x90});
      w.function(0x1000, 0x1040, 0x2000);
      w.info(0x2000, 1, 4, 0, {{4, 0x32}, {0, error_code ? 0x1a : 0x0a}});
      w.code(0x10fe, system_call ? std::initializer_list<int>{0x0f, 0x05} : std::initializer_list<int>{0x90, 0x90});
      uint64_t at = entry_rsp + (error_code ? 8 : 0);
      for (const uint64_t word : {back, uint64_t{0x33}, uint64_t{0x202}, stack_base + 0xf00, uint64_t{0x2b}}) {
        w.word(at, word);
        at += 8;
      }
      const Frame caller = w.caller_of(0x1020, entry_rsp - 0x20);
      EXPECT(caller.pc() == back);
      EXPECT(caller.sp() == stack_base + 0xf00);
      EXPECT(caller.ring == 3);
      EXPECT(caller.entered == (system_call ? Entered::SystemCall : Entered::Interrupt));
    }
  }
}

TEST_CASE("Code without .pdata is followed to its end, over calls, branches and its own stack") {
  struct Row {
    const char* what;
    std::vector<int> code;
    uint64_t below;  ///< how far RSP is below the return address
  };
  for (const Row& row : {
           Row{"RET", {0xc3}, 0},
           Row{"POP RBX; RET", {0x5b, 0xc3}, 8},
           Row{"PUSH RAX; CALL; POP RCX; RET", {0x50, 0xe8, 0, 0, 0, 0, 0x59, 0xc3}, 0},
           Row{"JZ over UD2; RET", {0x74, 0x02, 0x0f, 0x0b, 0xc3}, 0},
           Row{"JMP forwards; RET", {0xeb, 0x01, 0xcc, 0xc3}, 0},
           Row{"MOV RBX, RSP; AND RSP, -16; SUB RSP, 0x20; MOV RSP, RBX; RET",
               {0x48, 0x89, 0xe3, 0x48, 0x83, 0xe4, 0xf0, 0x48, 0x83, 0xec, 0x20, 0x48, 0x89, 0xdc, 0xc3}, 0},
           Row{"PUSHFQ; CLI; POPFQ; RET", {0x9c, 0xfa, 0x9d, 0xc3}, 0},
           Row{"loop: DEC RCX; JNZ loop; RET", {0x48, 0xff, 0xc9, 0x75, 0xfb, 0xc3}, 0},
       }) {
    INFO(row.what);
    World w;
    uint32_t at = 0x1000;
    for (const int byte : row.code) at = w.code(at, {byte});
    w.word(entry_rsp, back);
    const Frame caller = w.caller_of(0x1000, entry_rsp - row.below);
    EXPECT(caller.pc() == back);
    EXPECT(caller.sp() == entry_rsp + 8);
    CHECK_FALSE(caller.trusted);
  }
}

TEST_CASE("An entry that fetches its stack from GS and pushes what it got is followed to SYSRET") {
  World w;
  // swapgs; mov gs:[0x10], rsp; mov rsp, gs:[0x18]; push gs:[0x10]; push rcx; pop rcx; mov rsp, [rsp]; swapgs; sysretq
  uint32_t at = 0x1000;
  for (const int byte : {0x0f, 0x01, 0xf8, 0x65, 0x48, 0x89, 0x24, 0x25, 0x10, 0,    0,    0,    0x65, 0x48,
                         0x8b, 0x24, 0x25, 0x18, 0,    0,    0,    0x65, 0xff, 0x34, 0x25, 0x10, 0,    0,
                         0,    0x51, 0x59, 0x48, 0x8b, 0x24, 0x24, 0x0f, 0x01, 0xf8, 0x48, 0x0f, 0x07})
    at = w.code(at, {byte});
  w.word(stack_base + 0x18, stack_base + 0x700);
  Frame frame = w.frame(0x1000, 0x1234);
  frame.registers.kernel_gs_base = stack_base;
  frame.registers.gpr[vtl::Rcx] = back;
  const auto caller = w.caller(frame);
  REQUIRE(caller.ok());
  EXPECT(caller.value().pc() == back);
  EXPECT(caller.value().sp() == 0x1234);
  EXPECT(caller.value().ring == 3);
  EXPECT(caller.value().entered == Entered::SystemCall);
}

TEST_CASE("A stack ends with a sentence") {
  World w;
  usual_function(w);
  usual_stack(w);
  w.code(0x1100, {0x0f, 0x0b});
  w.build();
  const Stack whole = unwind(w.frame(0x1010, entry_rsp - 48), w.world(), 64);
  REQUIRE(whole.frames.size() == 2);
  EXPECT(whole.frames[1].index == 1);
  CHECK_THAT(whole.why, ContainsSubstring("does not return"));
  EXPECT(unwind(w.frame(0x1010, entry_rsp - 48), w.world(), 1).frames.size() == 1);
  CHECK_THAT(unwind(w.frame(0x1010, 0x10), w.world(), 64).why, ContainsSubstring("cannot be read"));
  w.word(entry_rsp, 0);
  CHECK_THAT(unwind(w.frame(0x1010, entry_rsp - 48), w.world(), 64).why, ContainsSubstring("return address is 0"));
  w.word(entry_rsp, 0x1234'5678'9abc'def0);
  CHECK_THAT(unwind(w.frame(0x1010, entry_rsp - 48), w.world(), 64).why, ContainsSubstring("is none"));
}

TEST_CASE("Malformed .pdata is refused, and unwind information that makes no sense ends the stack there") {
  World backwards;
  backwards.function(0x1020, 0x1010, 0x2000);
  CHECK_THAT(test::message_of(UnwindTable::parse(backwards.file())),
             ContainsSubstring("which no function of this image can be"));
  World overlapping;
  overlapping.function(0x1000, 0x1020, 0x2000);
  overlapping.function(0x1010, 0x1030, 0x2000);
  CHECK_FALSE(UnwindTable::parse(overlapping.file()).ok());
  struct Row {
    uint32_t unwind;
    std::initializer_list<int> info;
    const char* message;
  };
  for (const Row& row :
       {Row{0x3ffe, {}, "lies outside"}, Row{0x2000, {5, 0, 0, 0}, "version 5"},
        Row{0x2000, {1, 0, 1, 0, 0, 0x0f}, "is not one"}, Row{0x2000, {1, 0, 1, 0, 0, 0x01}, "is not one"},
        Row{0x3ffc, {1, 0, 200, 0}, "lie outside"}}) {
    INFO(row.message);
    World w;
    for (uint32_t at = 0x1000; at < 0x1040;) at = w.code(at, {0x90});
    w.function(0x1000, 0x1040, row.unwind);
    if (row.unwind == 0x2000) w.code(0x2000, row.info);
    CHECK_FALSE(w.caller(w.frame(0x1020, entry_rsp)).ok());
  }
}
