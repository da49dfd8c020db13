// The types of the guests' PDBs, against LLVM's reader and against the offsets that the guests' headers promise.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <regex>

#include "abi/sk/structures.h"
#include "sim/loader/pdb_layout.h"
#include "sim/loader/pe_image.h"
#include "sim/symbols/type_table.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

namespace fs = std::filesystem;
using namespace symbols;

namespace {

TypeTable types_of(const std::string& pdb) {
  const auto bytes = loader::read_file(pdb);
  REQUIRE(bytes.ok());
  const auto msf = loader::MsfFile::parse(bytes.value());
  REQUIRE(msf.ok());
  auto table = TypeTable::parse(msf.value().stream(loader::pdb_type_stream).value());
  INFO((table ? std::string{} : table.error().message));
  REQUIRE(table.ok());
  return std::move(table.value());
}

/// What llvm-pdbutil says of one record.
struct Listed {
  std::string kind, name;
  uint64_t size{};
  uint32_t fields{};
  bool forward{};
  std::vector<std::string> parts;  ///< of a field list: "name@offset", "name=value"
};
using Listing = std::map<uint32_t, Listed>;

uint64_t number_after(const std::string& line, const std::string& mark, int base) {
  const size_t at = line.find(mark);
  return at == std::string::npos ? 0 : std::strtoull(line.c_str() + at + mark.size(), nullptr, base);
}

Listing listing_of(const std::string& pdb) {
  const auto run = test::run_program({"llvm-pdbutil-19", "dump", "-types", pdb});
  REQUIRE(run.exit_code == 0);
  const std::regex record{R"(^ +0x([0-9A-F]+) \| (LF_\w+) \[size = \d+\](?: `(.*)`)?)"};
  const std::regex member{R"(^ +- LF_MEMBER \[name = `(.*)`, Type = .*, offset = (\d+))"};
  const std::regex enumerator{R"(^ +- LF_ENUMERATE \[(.*) = (-?\d+)\])"};
  Listing out;
  Listed* current = nullptr;
  std::istringstream text{run.output};
  std::smatch found;
  for (std::string line; std::getline(text, line);) {
    if (std::regex_search(line, found, record)) {
      current = &out[static_cast<uint32_t>(std::stoul(found[1], nullptr, 16))];
      *current = {found[2], found[3], 0, 0, false, {}};
    } else if (current == nullptr) {
      continue;
    } else if (std::regex_search(line, found, member)) {
      current->parts.push_back(fmt::format("{}@{}", found[1].str(), found[2].str()));
    } else if (std::regex_search(line, found, enumerator)) {
      current->parts.push_back(fmt::format("{}={}", found[1].str(), found[2].str()));
    } else {
      if (line.find("field list: 0x") != std::string::npos)
        current->fields = static_cast<uint32_t>(number_after(line, "field list: 0x", 16));
      if (line.find("sizeof ") != std::string::npos) current->size = number_after(line, "sizeof ", 10);
      if (line.find("forward ref") != std::string::npos) current->forward = true;
    }
  }
  return out;
}

std::vector<std::string> parts_of(const TypeTable& table, TypeIndex type) {
  std::vector<std::string> parts;
  for (const TypeMember& member : table.members(type))
    if (!member.is_base) parts.push_back(fmt::format("{}@{}", member.name, member.offset));
  for (const Enumerator& one : table.enumerators(type))
    parts.push_back(fmt::format("{}={}", one.name, table.is_signed(type) && static_cast<int64_t>(one.value) < 0
                                               ? std::to_string(static_cast<int64_t>(one.value))
                                               : std::to_string(one.value)));
  return parts;
}

}  // namespace

TEST_CASE("Every structure, union and enumeration of the guests' PDBs is read as LLVM reads it") {
  size_t compared = 0, members = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{"guests/images", ignored}) {
    if (entry.path().extension() != ".pdb") continue;
    INFO(entry.path());
    const TypeTable table = types_of(entry.path().string());
    const Listing listing = listing_of(entry.path().string());
    for (const auto& [index, listed] : listing) {
      const bool record = listed.kind == "LF_STRUCTURE" || listed.kind == "LF_CLASS" || listed.kind == "LF_UNION";
      if ((!record && listed.kind != "LF_ENUM") || listed.forward) continue;
      INFO(listed.name);
      EXPECT(table.name(index) == listed.name);
      EXPECT(table.resolve(index) == index);
      if (record) EXPECT(table.size(index) == listed.size);
      const auto fields = listing.find(listed.fields);
      const std::vector<std::string> expected =
          fields == listing.end() ? std::vector<std::string>{} : fields->second.parts;
      EXPECT(parts_of(table, index) == expected);
      members += expected.size();
      ++compared;
    }
    const auto defined = [](const auto& row) {
      return !row.second.forward && (row.second.kind == "LF_STRUCTURE" || row.second.kind == "LF_CLASS" ||
                                     row.second.kind == "LF_UNION" || row.second.kind == "LF_ENUM");
    };
    EXPECT(table.named().size() == static_cast<size_t>(std::count_if(listing.begin(), listing.end(), defined)));
  }
  if (compared == 0) SKIP("guests/images holds no PDBs: this build has no guests (AIRLOCK_GUESTS=OFF or not built)");
  WARN(compared << " types with " << members << " members and enumerators agree");
}

TEST_CASE("Offsets in the secure kernel's PDB are those that the contract publishes") {
  if (!fs::exists("guests/images/securekernel.pdb")) SKIP("this build has no guests");
  const TypeTable table = types_of("guests/images/securekernel.pdb");
  struct Row {
    const char *type, *path;
    uint64_t offset;
  };
  using namespace abi::sk;
  for (const Row& row : {Row{"SkPcr", "current_thread", skpcr_current_thread},
                         Row{"SkPcr", "hypervisor", skpcr_hypervisor_data},
                         Row{"sk::SkPcr", "current_process", skpcr_current_process},
                         Row{"SkThread", "previous_mode", skthread_previous_mode}, Row{"SkThread", "teb", skthread_teb},
                         Row{"SkProcess", "trustlet_id", skprocess_trustlet_id},
                         Row{"SkProcess", "instance", skprocess_instance_guid},
                         Row{"SkProcess", "policy", skprocess_policy},
                         Row{"SkProcess", "mailboxes[7]", skprocess_mailboxes + 7 * sizeof(uint64_t)},
                         Row{"VtlSwitch", "gpr[15]", 15 * sizeof(uint64_t)}}) {
    INFO(row.type << "." << row.path);
    const auto type = table.find(row.type);
    REQUIRE(type.has_value());
    const auto part = table.part(*type, row.path);
    REQUIRE(part.ok());
    EXPECT(part.value().offset == row.offset);
  }
  EXPECT(table.text(table.part(*table.find("SkProcess"), "mailboxes").value().type) == "abi::sk::Mailbox*[8]");
  EXPECT(table.enumerator(*table.find("sk::ThreadState"), 4) == "Parked");
}
