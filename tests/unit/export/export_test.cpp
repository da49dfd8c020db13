// Every file is read by somebody else's program, or, where there is none, by a parser that knows only the format.
#include "sim/export/export.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>

#include "sim/trace/writer.h"
#include "tests/support/catch.h"
#include "tests/unit/loader/command.h"
#include "tests/unit/trace/sample_run.h"

using Catch::Matchers::ContainsSubstring;
using exporting::Format;
using support::EventKind;

namespace {

/// Two images; VTL 0 calls VTL 1 three times, the last call never returns. Between, the sample code runs in both.
class Run {
 public:
  explicit Run(trace::Detail detail) {
    auto created = trace::Writer::create("export_test.trace", {{"seed", "1"}}, &code_, {.detail = detail});
    REQUIRE(created.ok());
    writer_ = std::move(created.value());
    for (auto& context : vp_.contexts.values) {
      context.cr0 = 0x80010001;
      context.efer = 0x500;
      context.segments[vtl::Cs].attributes = 0xa09b;
      context.rsp = 0xffff800000001000;
    }
    event(EventKind::ImageLoaded, 0xfffff80000000000, 0x2000, "nt.exe");
    event(EventKind::ImageLoaded, 0xfffff80100000000, 0x3000, "sk.exe");
    for (int i = 0; i < 3; ++i) {
      execute(abi::hv::Vtl::Vtl0, 0xfffff80000000000, 5);
      event(EventKind::VtlCall, 0, 0);
      execute(abi::hv::Vtl::Vtl1, 0xfffff80100001000, 3);
      event(EventKind::Hypercall, 0xc, 0);
      if (i == 2) break;
      event(EventKind::VtlReturn, 0, 0);
      execute(abi::hv::Vtl::Vtl0, 0x5000, 2);  // no image lies there
    }
    if (detail == trace::Detail::Full) other_processor();
    event(EventKind::ImageUnloaded, 0xfffff80000000000, 0x2000, "nt.exe");
    REQUIRE(writer_->close().ok());
  }
  ~Run() { std::remove("export_test.trace"); }

 private:
  /// VP 1 executes in VTL 0 and misses its TLB once.
  void other_processor() {
    vp_.number = 1;
    execute(abi::hv::Vtl::Vtl0, 0xfffff80000000000, 3);
    event(EventKind::Walk, 0xfffff80000000000, 0);
  }
  void event(EventKind kind, uint64_t a, uint64_t b, std::string_view text = {}) {
    writer_->on({.at = now_, .vp = vp_.number, .vtl = vp_.active, .kind = kind, .a = a, .b = b, .rip = vp_.context().rip, .text = text});
  }
  void execute(abi::hv::Vtl vtl, uint64_t base, size_t count) {
    vp_.active = vtl;
    vtl::VtlContext& context = vp_.context();
    context.rip = base;
    for (size_t i = 0; i < count; ++i) {
      writer_->before_instruction(now_, vp_);
      if (i == 0) code_.read_data(vp_, vp_.shared.gpr[vtl::Rbx] + 8, {reinterpret_cast<uint8_t*>(&vp_.shared.gpr[0]), 8});
      if (i == 1) {
        vp_.shared.gpr[vtl::Rax] += vp_.shared.gpr[vtl::Rcx];
        context.rflags = 0x246;  // not what ADD leaves: the next line has no memory of its own
      }
      if (i == 3) context.rsp -= 8;
      context.rip += test::sample_lengths[i];
      ++now_.ticks;
    }
  }

  test::SampleCode code_;
  std::unique_ptr<trace::Writer> writer_;
  vtl::VirtualProcessor vp_;
  support::Instant now_{100};
};

std::string exported(Format format, const std::string& path, trace::Detail detail = trace::Detail::Control,
                     std::optional<uint8_t> vtl = {}) {
  const Run run{detail};
  auto reader = trace::Reader::open("export_test.trace");
  REQUIRE(reader.ok());
  exporting::Options options;
  options.format = format;
  options.path = path;
  options.vtl = vtl;
  loader::ImageCatalog images;
  auto exporter = exporting::create(options, reader.value().meta(), images);
  REQUIRE(exporter.ok());
  const auto outcome = exporting::run(options, [&] { return reader.value().read(); }, images, *exporter.value());
  EXPECT(outcome.read.ok());
  if (!outcome.written.ok()) return outcome.written.error().message;
  exporter.value().reset();
  return outcome.summary;
}

std::string whole(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

size_t count(const std::vector<std::string>& lines, const std::string& line) {
  return static_cast<size_t>(std::count(lines.begin(), lines.end(), line));
}

}  // namespace

TEST_CASE("Perfetto: protoc decodes every field, slices are closed, and flows lead from call to return") {
  exported(Format::Perfetto, "export_test.pftrace");
  const auto decoded = test::run(
      fmt::format("protoc --proto_path={0} --decode=Trace {0}/perfetto.proto < export_test.pftrace", AIRLOCK_EXPORT_SCHEMA));
  std::remove("export_test.pftrace");
  REQUIRE(decoded.has_value());
  const auto& lines = *decoded;
  for (const std::string& line : lines) {
    INFO(line);
    REQUIRE_FALSE((!line.empty() && line[0] >= '0' && line[0] <= '9'));  // a field that the schema does not know
  }
  EXPECT(count(lines, "thread_name: \"VTL 0\"") == 1);
  EXPECT(count(lines, "thread_name: \"VTL 1\"") == 1);
  EXPECT(count(lines, "process_name: \"VP 0\"") == 1);
  // VTL 0, then a slice for each of three calls and for each of two returns.
  EXPECT(count(lines, "type: TYPE_SLICE_BEGIN") == 6);
  EXPECT(count(lines, "type: TYPE_SLICE_END") == 6);
  for (int flow = 1; flow <= 3; ++flow) {
    EXPECT(count(lines, fmt::format("flow_ids: {}", flow)) == 2);
    EXPECT(count(lines, fmt::format("terminating_flow_ids: {}", flow)) == (flow < 3 ? 1 : 0));
  }
  EXPECT(count(lines, "name: \"hypercalls\"") == 1);
  EXPECT(count(lines, "counter_value: 3") >= 1);
  uint64_t last = 0;
  for (const std::string& stamp : test::values(lines, "timestamp: ")) {
    EXPECT(std::stoull(stamp) >= last);
    last = std::stoull(stamp);
  }
}

TEST_CASE("Perfetto: each processor has its lanes, and a trace with walks the hit rate of the TLB") {
  exported(Format::Perfetto, "export_test.pftrace", trace::Detail::Full);
  const auto decoded = test::run(
      fmt::format("protoc --proto_path={0} --decode=Trace {0}/perfetto.proto < export_test.pftrace", AIRLOCK_EXPORT_SCHEMA));
  std::remove("export_test.pftrace");
  REQUIRE(decoded.has_value());
  EXPECT(count(*decoded, "process_name: \"VP 0\"") == 1);
  EXPECT(count(*decoded, "process_name: \"VP 1\"") == 1);
  EXPECT(count(*decoded, "thread_name: \"VTL 0\"") == 2);
  EXPECT(count(*decoded, "name: \"TLB hit rate\"") == 1);
  EXPECT(count(*decoded, "unit_name: \"%\"") == 1);
  const std::vector<std::string> rates = test::values(*decoded, "double_counter_value: ");
  REQUIRE(!rates.empty());
  EXPECT(std::stod(rates.back()) > 0);
  EXPECT(std::stod(rates.back()) < 100);
}

TEST_CASE("SQLite: the command-line program finds the tables sound and every documented query runs") {
  exported(Format::Sqlite, "export_test.db");
  const auto query = [](const std::string& text) {
    std::ofstream{"export_test.sql"} << text;
    const auto lines = test::run("sqlite3 -bail export_test.db < export_test.sql");
    REQUIRE(lines.has_value());
    return *lines;
  };
  EXPECT(query("PRAGMA integrity_check;") == std::vector<std::string>{"ok"});
  EXPECT(query("SELECT count(*), count(return_tick) FROM calls;") == std::vector<std::string>{"3|2"});
  EXPECT(query("SELECT return_tick - entry_tick, instructions FROM calls WHERE id = 1;") ==
         std::vector<std::string>{"3|3"});
  EXPECT(query("SELECT name, printf('%x', base), unloaded_tick IS NULL FROM images ORDER BY id;") ==
         std::vector<std::string>{"nt.exe|fffff80000000000|0", "sk.exe|fffff80100000000|1"});
  EXPECT(query("SELECT sum(executed) FROM instructions;") == std::vector<std::string>{"28"});
  EXPECT(query("SELECT value FROM meta WHERE key = 'seed';") == std::vector<std::string>{"1"});
  const std::string page = whole(AIRLOCK_EXPORT_PAGE);
  size_t examples = 0;
  for (size_t at = page.find("```sql\n"); at != std::string::npos; at = page.find("```sql\n", at + 1)) {
    const std::string text = page.substr(at + 7, page.find("```", at + 7) - at - 7);
    INFO(text);
    const auto lines = query(text);
    for (const std::string& line : lines)
      CHECK_THAT(line, !ContainsSubstring("error"));
    ++examples;
  }
  EXPECT(examples >= 5);
  std::remove("export_test.db");
  std::remove("export_test.sql");
}

TEST_CASE("drcov: a parser of its header and table finds each block in its module") {
  exported(Format::Drcov, "export_test.drcov");
  const std::string file = whole("export_test.drcov");
  std::remove("export_test.drcov");
  std::istringstream in{file};
  std::string line;
  std::getline(in, line);
  EXPECT(line == "DRCOV VERSION: 2");
  std::getline(in, line);
  EXPECT(line == "DRCOV FLAVOR: drcov-64");
  std::getline(in, line);
  std::smatch match;
  REQUIRE(std::regex_match(line, match, std::regex{"Module Table: version 2, count (\\d+)"}));
  const size_t modules = std::stoul(match[1]);
  EXPECT(modules == 2);
  std::getline(in, line);
  EXPECT(line == "Columns: id, base, end, entry, checksum, timestamp, path");
  std::vector<uint64_t> sizes;
  const std::regex row{R"(\s*(\d+), 0x([0-9a-f]{16}), 0x([0-9a-f]{16}), 0x[0-9a-f]{16}, 0x[0-9a-f]{8}, 0x[0-9a-f]{8}, (\S+))"};
  for (size_t i = 0; i < modules; ++i) {
    std::getline(in, line);
    REQUIRE(std::regex_match(line, match, row));
    EXPECT(std::stoul(match[1]) == i);
    sizes.push_back(std::stoull(match[3], nullptr, 16) - std::stoull(match[2], nullptr, 16));
  }
  std::getline(in, line);
  REQUIRE(std::regex_match(line, match, std::regex{"BB Table: (\\d+) bbs"}));
  const size_t blocks = std::stoul(match[1]);
  const auto start = static_cast<size_t>(in.tellg());
  REQUIRE(file.size() == start + blocks * 8);
  std::map<unsigned, std::vector<std::pair<uint32_t, unsigned>>> found;
  for (size_t at = start; at < file.size(); at += 8) {
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(file[at + i])); };
    const uint32_t offset = byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
    const unsigned size = byte(4) | byte(5) << 8, module = byte(6) | byte(7) << 8;
    REQUIRE(module < modules);
    EXPECT(offset + size <= sizes[module]);
    found[module].emplace_back(offset, size);
  }
  // Three instructions and the call; the return behind it. In the other image the run ends before the call.
  EXPECT(found[0] == std::vector<std::pair<uint32_t, unsigned>>{{0, 16}, {16, 1}});
  EXPECT(found[1] == std::vector<std::pair<uint32_t, unsigned>>{{0x1000, 11}});
}

TEST_CASE("Tenet: every line is by the grammar, the first has all registers, a compact trace is refused") {
  const std::string summary = exported(Format::Tenet, "export_test.tenet", trace::Detail::Full, uint8_t{1});
  EXPECT(summary == "9 instructions of VTL 1");
  std::istringstream in{whole("export_test.tenet")};
  const std::regex grammar{R"(((r[a-z0-9]{1,2})=0x[0-9a-f]+,)*rip=0x[0-9a-f]+(,m(r|w|rw)=0x[0-9a-f]+:([0-9a-f]{2})+)*)"};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    INFO(line);
    REQUIRE(std::regex_match(line, grammar));
    lines.push_back(line);
  }
  REQUIRE(lines.size() == 9);
  EXPECT(std::count(lines[0].begin(), lines[0].end(), '=') == 17);
  CHECK_THAT(lines[0], ContainsSubstring("rip=0xfffff80100001000"));
  // "mov rax, [rbx+8]" reads at 8; the line behind it says so. RAX had the same value.
  EXPECT(lines[1] == "rip=0xfffff80100001004,mr=0x8:25292e32373c4045");
  CHECK_THAT(exported(Format::Tenet, "export_test.tenet"), ContainsSubstring("--trace-full"));
  std::remove("export_test.tenet");
}

TEST_CASE("A file that cannot be created or written says so") {
  loader::ImageCatalog images;
  for (const Format format : {Format::Perfetto, Format::Drcov, Format::Sqlite, Format::Tenet}) {
    exporting::Options options;
    options.format = format;
    options.path = "no-such-folder/out";
    const auto created = exporting::create(options, {}, images);
    REQUIRE_FALSE(created.ok());
    CHECK_THAT(created.error().message, ContainsSubstring("cannot create no-such-folder/out"));
  }
}
