// Dumps of a machine, read by others: a reader of our own in Python, which shares no line with the writer, and gdb.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>
#include <tuple>

#include "mmu/slat.h"
#include "mmu/translator.h"
#include "sim/dump/dump.h"
#include "sim/symbols/places.h"
#include "sim/symbols/structures.h"
#include "sim/symbols/variables.h"
#include "sim/trace/image_names.h"
#include "tests/support/catch.h"
#include "tests/support/machine_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using namespace symbols;
using Catch::Matchers::ContainsSubstring;
using vtl::Vtl;

namespace {

/// A boot that has stopped at a milestone, with its names.
struct Moment {
  explicit Moment(loader::MachineConfig config = test::with_vsm(), std::string_view milestone = "mailbox slot 0")
      : run{std::move(config)} {
    REQUIRE(run.run_to_milestone(milestone));
    for (const test::Seen& seen : run.seen().events()) {
      support::Event event = seen.event;
      event.text = seen.text;
      learner.learn(event);
      learner.forget(event);
    }
  }
  [[nodiscard]] dump::Present present(Vtl vtl) { return {run.machine(), 0, vtl, images, library}; }
  [[nodiscard]] std::vector<uint8_t> memory(Vtl vtl, uint64_t address, size_t count) const {
    std::vector<uint8_t> bytes(count);
    mmu::AddressSpace space = run.machine().view(vtl);
    space.stage1.alignment_check = true;
    REQUIRE(mmu::read_gva(run.machine().translator(), space, mmu::Gva{address}, bytes) == count);
    return bytes;
  }

  test::MachineRun run;
  loader::ImageCatalog images{{"guests/images"}};
  trace::ImageNames learner{images};
  Library library{{"guests/images"}};
};

std::string hex_of(const std::vector<uint8_t>& bytes) {
  std::string out;
  for (const uint8_t byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

using Facts = std::multimap<std::string, std::string>;
Facts facts_of(const test::ProgramResult& parsed) {
  INFO(parsed.errors);
  REQUIRE(parsed.exit_code == 0);
  Facts facts;
  std::istringstream text{parsed.output};
  for (std::string line; std::getline(text, line);)
    facts.emplace(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
  return facts;
}
std::string one(const Facts& facts, const std::string& name) {
  INFO(name);
  REQUIRE(facts.count(name) == 1);
  return facts.find(name)->second;
}
std::string hex(uint64_t value) { return fmt::format("{:#x}", value); }

void check_registers(const Facts& facts, const vtl::VirtualProcessor& vp, Vtl vtl) {
  constexpr std::array names{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                             "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  const vtl::VtlContext& context = vp.contexts[vtl];
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT(one(facts, names[i]) == hex(i == vtl::Rsp ? context.rsp : vp.shared.gpr[i]));
  EXPECT(one(facts, "rip") == hex(context.rip));
  EXPECT(one(facts, "eflags") == hex(context.rflags));
  EXPECT(one(facts, "cs") == hex(context.segments[vtl::Cs].selector));
  EXPECT(one(facts, "ss") == hex(context.segments[vtl::Ss].selector));
  EXPECT(one(facts, "directory") == hex(context.cr3));
}

}  // namespace

TEST_CASE("A kernel dump has VTL 0's registers and memory, and zeros where VTL 0 may not read") {
  Moment now;
  const test::TemporaryFolder folder;
  const std::string path = folder.file("kernel.dmp");
  const auto written = dump::write_kernel_dump(now.present(Vtl::Vtl0), path);
  INFO((written ? written.value().text : written.error().message));
  REQUIRE(written.ok());
  const uint64_t stack = now.run.machine().processor().contexts[Vtl::Vtl0].rsp;
  const uint64_t code = *address_of(now.images, "nt!KiSystemCall64");
  const Facts facts =
      facts_of(test::run_program({"python3", DUMP_PARSER, path, hex(stack), "0x100", hex(code), "0x1800"}));
  check_registers(facts, now.run.machine().processor(), Vtl::Vtl0);
  EXPECT(one(facts, "processors") == "1");
  EXPECT(one(facts, "bugcheck") == "0x161 0x0 0x0 0x0 0x0");
  EXPECT(one(facts, "debugger_data") == "0x0");
  EXPECT(one(facts, "context_flags") == "0x10001f");
  EXPECT(one(facts, "exception") == "0x80000003 " + hex(now.run.machine().processor().contexts[Vtl::Vtl0].rip));
  EXPECT(facts.count("memory") == 2);
  for (const auto& [address, size] : {std::pair{stack, size_t{0x100}}, std::pair{code, size_t{0x1800}}}) {
    const std::string expected = hex(address) + " " + hex_of(now.memory(Vtl::Vtl0, address, size));
    const auto range = facts.equal_range("memory");
    EXPECT(std::any_of(range.first, range.second, [&](const auto& fact) { return fact.second == expected; }));
  }

  // Page by page: what VTL 0 may read is there, the rest is zero and listed.
  const std::vector<uint8_t> file = test::read_file(path);
  const mmu::Slat* slat = now.run.machine().view(Vtl::Vtl0).slat;
  REQUIRE(slat != nullptr);
  const mmu::PhysicalMemory& memory = now.run.machine().memory();
  const uint64_t pages = now.run.machine().config().memory_bytes / abi::page_size;
  REQUIRE(file.size() == 0x2000 + pages * abi::page_size);
  const std::vector<uint8_t> zeros(abi::page_size);
  uint64_t hidden = 0, wrong = 0;
  for (uint64_t page = 0; page < pages; ++page) {
    const mmu::SlatMapping mapping = slat->lookup(mmu::Gpa{page * abi::page_size});
    const bool readable = mapping.mapped && mapping.rights.read;
    const uint8_t* expected = readable ? memory.page_pointer(mapping.spa) : zeros.data();
    hidden += readable ? 0 : 1;
    if (!std::equal(expected, expected + abi::page_size,
                    file.begin() + static_cast<ptrdiff_t>(0x2000 + page * abi::page_size)))
      ++wrong;
  }
  EXPECT(wrong == 0);
  EXPECT(hidden > 1'000);  // all of the secure kernel's memory and the trustlets'
  REQUIRE(written.value().files.size() == 2);
  uint64_t listed = 0;
  std::istringstream list{test::read_text(written.value().files[1])};
  for (std::string line; std::getline(list, line);) {
    if (line[0] == '#') continue;
    listed +=
        (std::stoull(line.substr(line.find(' ') + 1), nullptr, 16) - std::stoull(line, nullptr, 16)) / abi::page_size;
    CHECK_THAT(line, ContainsSubstring(" denied"));
  }
  EXPECT(listed == hidden);
}

TEST_CASE("A dump of everything shows a trustlet's memory, and one of the secure kernel has VTL 1's tables") {
  Moment now;
  const test::TemporaryFolder folder;
  const uint64_t secret = *address_of(now.images, "securekernel!vtl_switch");
  const auto everything = dump::write_kernel_dump(now.present(Vtl::Vtl0), folder.file("all.dmp"), {.everything = true});
  REQUIRE(everything.ok());
  EXPECT(everything.value().files.size() == 1);
  const auto secure = dump::write_kernel_dump(now.present(Vtl::Vtl0), folder.file("sk.dmp"), {.secure_kernel = true});
  REQUIRE(secure.ok());
  const Facts facts = facts_of(test::run_program({"python3", DUMP_PARSER, folder.file("sk.dmp"), hex(secret), "0x80"}));
  check_registers(facts, now.run.machine().processor(), Vtl::Vtl1);
  EXPECT(one(facts, "memory") == hex(secret) + " " + hex_of(now.memory(Vtl::Vtl1, secret, 0x80)));
  CHECK_THAT(one(facts, "comment"), ContainsSubstring("VTL 1") && ContainsSubstring("experimental"));
  // What the tables of VTL 0 do not map, no dump of VTL 0 answers.
  EXPECT(test::run_program({"python3", DUMP_PARSER, folder.file("all.dmp"), hex(secret), "8"}).exit_code == 1);
}

TEST_CASE("The parser refuses dumps that contradict themselves") {
  Moment now{test::bare_machine(), "phase 0 done"};
  const test::TemporaryFolder folder;
  REQUIRE(dump::write_kernel_dump(now.present(Vtl::Vtl0), folder.file("good.dmp")).ok());
  CHECK_FALSE(dump::write_kernel_dump(now.present(Vtl::Vtl0), folder.file("sk.dmp"), {.secure_kernel = true}).ok());
  const std::vector<uint8_t> good = test::read_file(folder.file("good.dmp"));
  EXPECT(test::run_program({"python3", DUMP_PARSER, folder.file("good.dmp")}).exit_code == 0);
  for (const size_t at :
       {size_t{0}, size_t{0x30}, size_t{0x90}, size_t{0xa0}, size_t{0x37c}, size_t{0xf98}, size_t{0xfa0}}) {
    INFO(at);
    std::vector<uint8_t> bad = good;
    bad[at] ^= 0x40;
    const std::string path = folder.write("bad.dmp", bad);
    EXPECT(test::run_program({"python3", DUMP_PARSER, path}).exit_code == 1);
  }
}

TEST_CASE("A dump of a system that stopped has the parameters of its bug check") {
  Moment now{test::bare_machine(), "phase 0 done"};
  // UD2 in the kernel's own code: KMODE_EXCEPTION_NOT_HANDLED with the status, the address and the vector.
  const uint64_t victim = *address_of(now.images, "nt!KeWaitForSingleObject");
  constexpr std::array<uint8_t, 2> ud2{0x0f, 0x0b};
  const mmu::AddressSpace space = now.run.machine().view(Vtl::Vtl0);
  const auto at = now.run.machine().translator().probe(space, {mmu::Gva{victim}, mmu::AccessKind::Read, false, false});
  REQUIRE(at.ok);
  now.run.machine().memory().write(at.translation.spa, ud2);
  REQUIRE(now.run.finish() == machine::StopReason::Reset);
  const test::TemporaryFolder folder;
  const auto written = dump::write_kernel_dump(now.present(Vtl::Vtl0), folder.file("stop.dmp"));
  REQUIRE(written.ok());
  const Facts facts = facts_of(test::run_program({"python3", DUMP_PARSER, folder.file("stop.dmp")}));
  EXPECT(one(facts, "bugcheck") == fmt::format("0x1e 0xc000001d {:#x} 0x6 0x0", victim));

  // The frames that led there, and what their variables hold.
  const Stack stack = stack_of(now.run.machine(), 0, Vtl::Vtl0, now.images, now.library, 16);
  std::vector<std::string> names;
  for (const Frame& frame : stack.frames) names.push_back(place_at(now.images, frame.pc(), frame.cr3).symbol);
  REQUIRE(std::find(names.begin(), names.end(), "KiDispatchTrap") != names.end());
  const auto interrupted = std::find(names.begin(), names.end(), "KeWaitForSingleObject");
  REQUIRE(interrupted != names.end());
  const Frame& frame = stack.frames[static_cast<size_t>(interrupted - names.begin())];
  EXPECT(frame.pc() == victim);
  EXPECT(frame.entered == Entered::Interrupt);
  const auto variables = variables_of(frame, now.images, now.library, reader_of(now.run.machine(), 0, Vtl::Vtl0));
  const auto object =
      std::find_if(variables.begin(), variables.end(), [](const Variable& v) { return v.name == "object"; });
  REQUIRE(object != variables.end());
  EXPECT((object->is_parameter && object->type == "DISPATCHER_HEADER*"));
  EXPECT(object->number == frame.registers.gpr[vtl::Rcx]);  // the first argument, before the first instruction
  EXPECT(frame.knows(vtl::Rcx));                            // the trap frame has it
}

TEST_CASE("gdb opens a core of either VTL: registers, memory, and nothing where the second stage refuses") {
  Moment now;
  const test::TemporaryFolder folder;
  for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1}) {
    INFO("VTL " << static_cast<int>(vtl));
    const std::string path = folder.file("core");
    const auto written = dump::write_core(now.present(vtl), path);
    INFO((written ? written.value().text : written.error().message));
    REQUIRE(written.ok());
    const vtl::VirtualProcessor& vp = now.run.machine().processor();
    const uint64_t known =
        *address_of(now.images, vtl == Vtl::Vtl0 ? "nt!KiSystemCall64" : "securekernel!SkeProcessorLoop");
    const uint64_t other =
        *address_of(now.images, vtl == Vtl::Vtl0 ? "securekernel!SkeProcessorLoop" : "nt!KiSystemCall64");
    const auto gdb =
        test::run_program({"gdb", "-batch", "-nx", "-c", path, "-ex", "info registers", "-ex",
                           fmt::format("x/4gx {:#x}", known), "-ex", fmt::format("x/4gx {:#x}", vp.contexts[vtl].rsp),
                           "-ex", "info threads", "-ex", fmt::format("x/gx {:#x}", other)});
    INFO(gdb.output << gdb.errors);
    constexpr std::array names{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
    for (size_t i = 0; i < names.size(); ++i)
      CHECK_THAT(gdb.output, ContainsSubstring(fmt::format("{:14} {:#x}", names[i],
                                                           i == vtl::Rsp ? vp.contexts[vtl].rsp : vp.shared.gpr[i])));
    CHECK_THAT(gdb.output, ContainsSubstring(fmt::format("{:14} {:#x}", "rip", vp.contexts[vtl].rip)));
    CHECK_THAT(gdb.output,
               ContainsSubstring(fmt::format("{:14} {:#x}", "cs", vp.contexts[vtl].segments[vtl::Cs].selector)));
    for (const uint64_t address : {known, vp.contexts[vtl].rsp}) {
      const std::vector<uint8_t> bytes = now.memory(vtl, address, 16);
      uint64_t words[2];
      std::memcpy(words, bytes.data(), sizeof words);
      CHECK_THAT(gdb.output, ContainsSubstring(fmt::format("{:#x}:\t{:#018x}\t{:#018x}", address, words[0], words[1])));
    }
    CHECK_THAT(gdb.output + gdb.errors, ContainsSubstring(fmt::format("Cannot access memory at address {:#x}", other)));
  }
}

TEST_CASE("A listing has each function, its source lines, and how often each instruction ran") {
  loader::MachineConfig config = test::bare_machine();
  config.gear = loader::GearSetting::Exact;
  test::MachineRun run{config};
  loader::ImageCatalog images{{"guests/images"}};
  trace::ImageNames learner{images};
  const Library library{{"guests/images"}};
  REQUIRE(run.run_to_milestone("KiSystemStartup"));
  for (const test::Seen& seen : run.seen().events()) {
    support::Event event = seen.event;
    event.text = seen.text;
    learner.learn(event);
  }
  const auto nt = run.image("ntoskrnl.exe");
  dump::CodeCoverage observer{nt.base, nt.size, Vtl::Vtl0};
  run.machine().observe(&observer);
  REQUIRE(run.run_to_milestone("phase 0 done"));
  run.machine().observe(nullptr);

  const test::TemporaryFolder folder;
  dump::ListingOptions options{{SOURCE_FOLDER}, observer.coverage()};
  const dump::Present present{run.machine(), 0, Vtl::Vtl0, images, library};
  const auto written = dump::write_listing(present, "NT", folder.file("nt.lst"), options);
  INFO((written ? written.value().text : written.error().message));
  REQUIRE(written.ok());
  const std::string text = test::read_text(folder.file("nt.lst"));
  CHECK_THAT(text, ContainsSubstring("\nPsInitSystem:\n"));
  CHECK_THAT(text, ContainsSubstring("PsInitialSystemProcess = allocate_process(\"System\", MiSystemRoot);"));
  CHECK_THAT(text, ContainsSubstring("; nt!"));
  // The first instruction of a function that ran once, and of one that a boot never calls.
  const auto first_line = [&](std::string_view name) {
    const uint64_t address = *address_of(images, std::string{"nt!"} + std::string{name});
    const size_t at = text.find(fmt::format("{:016x}  ", address));
    REQUIRE(at != std::string::npos);
    const size_t begin = text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
  };
  CHECK_THAT(first_line("PsInitSystem"), Catch::Matchers::StartsWith("        1  "));
  CHECK_THAT(first_line("KeBugCheckEx"), Catch::Matchers::StartsWith("        -  "));
  CHECK_FALSE(dump::write_listing(present, "no such module", folder.file("x"), options).ok());
}

TEST_CASE("Coverage of a drcov file is that of the module at its base, and other files are refused") {
  const test::TemporaryFolder folder;
  std::string file =
      "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov-64\nModule Table: version 2, count 3\n"
      "Columns: id, base, end, entry, checksum, timestamp, path\n"
      "  0, 0x0000000000010000, 0x0000000000020000, 0x0000000000000000, 0x00000000, 0x00000000, other.exe\n"
      "  1, 0xfffff80000400000, 0xfffff80000440000, 0x0000000000000000, 0x00000000, 0x00000000, nt.exe\n"
      "  2, 0xfffff80000500000, 0xfffff80000540000, 0x0000000000000000, 0x00000000, 0x00000000, nt.exe\n"
      "BB Table: 3 bbs\n";
  for (const auto& [start, size, module] :
       {std::tuple{0x1000, 4, 1}, std::tuple{0x2000, 8, 2}, std::tuple{0x3000, 8, 0}})
    for (const int byte : {start & 0xff, start >> 8, 0, 0, size, 0, module, 0}) file.push_back(static_cast<char>(byte));
  const auto coverage = dump::read_drcov(folder.write("good", std::string_view{file}), "nt.exe", 0xfffff80000400000);
  REQUIRE(coverage.ok());
  EXPECT(coverage.value()(0xfffff80000401000) == 1);
  EXPECT(coverage.value()(0xfffff80000401003) == 1);
  EXPECT(coverage.value()(0xfffff80000401004) == 0);
  EXPECT(coverage.value()(0xfffff80000402000) == 0);
  EXPECT(coverage.value()(0x10) == 0);
  CHECK_FALSE(dump::read_drcov(folder.write("bad", std::string_view{"DRCOV VERSION: 3\n"}), "nt.exe", 0).ok());
  CHECK_FALSE(dump::read_drcov(folder.write("cut", std::string_view{file}.substr(0, 200)), "nt.exe", 0).ok());
  CHECK_FALSE(dump::read_drcov(folder.file("absent"), "nt.exe", 0).ok());
}
