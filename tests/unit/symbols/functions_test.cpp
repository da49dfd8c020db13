// Functions, data and locals of the guests' PDBs, against LLVM's reader.
#include <fmt/format.h>

#include <filesystem>
#include <regex>
#include <set>

#include "sim/loader/pe_image.h"
#include "sim/symbols/library.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using namespace symbols;

namespace {

FunctionTable functions_of(const std::string& pdb) {
  const auto bytes = loader::read_file(pdb);
  REQUIRE(bytes.ok());
  auto table = FunctionTable::parse(bytes.value());
  INFO((table ? std::string{} : table.error().message));
  REQUIRE(table.ok());
  return std::move(table.value());
}

/// "offset in its section, size, name" of each procedure that llvm-pdbutil lists.
std::multiset<std::string> listed_functions(const std::string& pdb) {
  const auto run = test::run_program({"llvm-pdbutil-19", "dump", "-symbols", pdb});
  REQUIRE(run.exit_code == 0);
  const std::regex head{R"(\| S_[GL]PROC32 \[size = \d+\] `(.*)`)"}, body{R"(addr = (\d+):(\d+), code size = (\d+))"};
  std::multiset<std::string> out;
  std::istringstream text{run.output};
  std::string name;
  std::smatch found;
  for (std::string line; std::getline(text, line);) {
    if (std::regex_search(line, found, head)) name = found[1];
    else if (!name.empty() && std::regex_search(line, found, body)) {
      if (found[1] != "0000") out.insert(fmt::format("{} {} {}", found[2].str(), found[3].str(), name));
      name.clear();
    }
  }
  return out;
}

const Local* find_local(const std::vector<Local>& locals, std::string_view name) {
  for (const Local& local : locals)
    if (local.name == name) return &local;
  return nullptr;
}

}  // namespace

TEST_CASE("Every function of the guests' PDBs has the place, size and name that LLVM's reader says") {
  size_t compared = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{"guests/images", ignored}) {
    if (entry.path().extension() != ".pdb") continue;
    INFO(entry.path());
    const FunctionTable table = functions_of(entry.path().string());
    // All code of these images is in the first section, which begins at 0x1000.
    std::multiset<std::string> ours;
    for (const Function& function : table.functions())
      ours.insert(fmt::format("{:04} {} {}", function.rva - 0x1000, function.size, function.name));
    EXPECT(ours == listed_functions(entry.path().string()));
    compared += ours.size();
    for (const Function& function : table.functions()) {
      const Function* at = table.at(function.rva + function.size - 1);
      REQUIRE(at != nullptr);
      EXPECT(at->rva == function.rva);
    }
  }
  if (compared == 0) SKIP("guests/images holds no PDBs: this build has no guests (AIRLOCK_GUESTS=OFF or not built)");
}

TEST_CASE("Locals are where LLVM's reader says, for the length of their ranges and not in their gaps") {
  const std::string pdb = "guests/images/securekernel.pdb";
  if (!fs::exists(pdb)) SKIP("this build has no guests");
  const FunctionTable table = functions_of(pdb);
  const auto run = test::run_program({"llvm-pdbutil-19", "dump", "-symbols", pdb});
  REQUIRE(run.exit_code == 0);
  const std::regex procedure{R"(\| S_[GL]PROC32 \[size = \d+\] `(.*)`)"}, local{R"(\| S_LOCAL \[size = \d+\] `(.*)`)"};
  const std::regex range{R"(register = (R\w+), may have no name = false, range start = 0001:(\d+), length = (\d+))"};
  constexpr std::array names{"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                             "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
  std::istringstream text{run.output};
  std::string name;
  int depth = 0;  // of inlined functions
  size_t compared = 0, inside = 0, gaps = 0;
  std::smatch found;
  for (std::string line; std::getline(text, line);) {
    if (std::regex_search(line, procedure)) depth = 0;
    if (line.find("| S_INLINESITE ") != std::string::npos) ++depth;
    if (line.find("| S_INLINESITE_END") != std::string::npos) --depth;
    if (std::regex_search(line, found, local)) name = found[1];
    if (!std::regex_search(line, found, range) || depth != 0) continue;
    const auto reg = static_cast<uint8_t>(std::find(names.begin(), names.end(), found[1]) - names.begin());
    const uint32_t from = 0x1000 + static_cast<uint32_t>(std::stoul(found[2]));
    const auto length = static_cast<uint32_t>(std::stoul(found[3]));
    const Function* function = table.at(from);
    if (reg >= names.size() || function == nullptr || length == 0) continue;
    INFO(function->name << " " << name << " in " << found[1] << " from " << from);
    const std::vector<Local> at_start = table.locals(*function, from);
    const auto here = std::find_if(at_start.begin(), at_start.end(), [&](const Local& l) {
      return l.name == name && l.where == Local::Where::Register && l.reg == reg;
    });
    EXPECT(here != at_start.end());
    ++compared;
    inside += here != at_start.end() ? 1 : 0;
    // In a gap the register holds something else. The line behind says where they are: "gaps = [(18,140)]".
    std::getline(text, line);
    const size_t mark = line.find("gaps = [(");
    if (mark == std::string::npos) continue;
    const uint32_t gap = from + static_cast<uint32_t>(std::stoul(line.substr(mark + 9)));
    const std::vector<Local> in_gap = table.locals(*function, gap);
    EXPECT(std::none_of(in_gap.begin(), in_gap.end(), [&](const Local& l) {
      return l.inlined == 0 && l.name == name && l.where == Local::Where::Register && l.reg == reg;
    }));
    ++gaps;
  }
  WARN(compared << " ranges of variables in registers agree");
  EXPECT(inside > 100);
  EXPECT(gaps > 5);
}

TEST_CASE("A parameter is found by name with its type, and is gone where its register is used for something else") {
  if (!fs::exists("guests/images/securekernel.exe")) SKIP("this build has no guests");
  const Library library{{"guests/images"}};
  const ImageSymbols& image = library.of("securekernel.exe");
  REQUIRE(image.has_pdb);
  const auto function = std::find_if(image.functions.functions().begin(), image.functions.functions().end(),
                                     [](const Function& f) { return f.name == "sk::SkeFindThread"; });
  REQUIRE(function != image.functions.functions().end());
  const auto locals = image.functions.locals(*function, function->rva);
  const Local* cookie = find_local(locals, "cookie");
  REQUIRE(cookie != nullptr);
  EXPECT(cookie->is_parameter);
  EXPECT(cookie->where == Local::Where::Register);
  EXPECT(cookie->reg == vtl::Rcx);  // the first argument
  EXPECT(image.types.text(cookie->type) == "uint32_t");
  EXPECT(image.functions.find_data("sk::vtl_switch").size() == 1);
  EXPECT(image.functions.at(0) == nullptr);
}

TEST_CASE("The library reads no file outside its folders and says what it cannot use") {
  const Library library{{"guests/images"}};
  CHECK_FALSE(library.of("../images/securekernel.exe").has_pdb);
  CHECK_FALSE(library.of("no such file.exe").has_pdb);
  EXPECT(library.complaints().empty());
  const test::TemporaryFolder folder;
  static_cast<void>(folder.write("broken.dll", std::string_view{"MZ"}));
  const Library other{{folder.path()}};
  EXPECT(other.of("broken.dll").unwind.entries().empty());
  REQUIRE(other.complaints().size() == 1);
  CHECK_THAT(other.complaints()[0], Catch::Matchers::StartsWith("broken.dll: the file has 2 bytes"));
}
