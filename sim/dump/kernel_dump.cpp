// DUMP_HEADER64 and the pages behind it. The numbers are what public readers and writers of such files agree on (QEMU's
// win_dump_defs.h, kdmp-parser); CONTEXT and EXCEPTION_RECORD64 are those of winnt.h.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/container/output_file.h"
#include "sim/dump/dump.h"
#include "sim/dump/physical_view.h"
#include "sim/symbols/places.h"
#include "sim/symbols/variables.h"

namespace dump {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;
using vtl::Vtl;

constexpr size_t header_size = 0x2000;
constexpr uint32_t machine_amd64 = 0x8664, full_dump = 1;
constexpr uint32_t live_system_dump = 0x161;  // the bug check code of a dump of a system that goes on
constexpr uint32_t status_breakpoint = 0x80000003;
constexpr uint32_t context_all =
    0x0010001f;  // CONTEXT_AMD64: control, integer, segments, floating point, debug registers
constexpr uint64_t ticks_per_100ns = 200;
constexpr size_t most_runs = 42;  // that fit into PhysicalMemoryBlockBuffer

/// Writes fields at their offsets.
class Header {
 public:
  /// What no field covers holds "PAGE", as the system leaves it.
  Header() : bytes_(header_size) {
    for (size_t at = 0; at < bytes_.size(); ++at) bytes_[at] = static_cast<uint8_t>("PAGE"[at % 4]);
  }
  template <class T>
  void put(size_t offset, T value) { std::memcpy(bytes_.data() + offset, &value, sizeof value); }
  void text(size_t offset, std::string_view value, size_t room) {
    std::memset(bytes_.data() + offset, 0, room);
    std::memcpy(bytes_.data() + offset, value.data(), std::min(value.size(), room - 1));
  }
  void zero(size_t offset, size_t count) { std::memset(bytes_.data() + offset, 0, count); }
  [[nodiscard]] const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

struct Run {
  uint64_t first{}, count{};  ///< guest pages
};

/// CONTEXT of AMD64 (winnt.h) at `base`, with the FXSAVE area at +0x100.
void put_context(Header& header, size_t base, const vtl::VirtualProcessor& vp, Vtl vtl) {
  const vtl::VtlContext& context = vp.contexts[vtl];
  header.zero(base, 0x4d0);
  header.put<uint32_t>(base + 0x30, context_all);
  header.put<uint32_t>(base + 0x34, vp.shared.fp.mxcsr);
  const std::array segments{vtl::Cs, vtl::Ds, vtl::Es, vtl::Fs, vtl::Gs, vtl::Ss};
  for (size_t i = 0; i < segments.size(); ++i)
    header.put<uint16_t>(base + 0x38 + 2 * i, context.segments[segments[i]].selector);
  header.put<uint32_t>(base + 0x44, static_cast<uint32_t>(context.rflags));
  for (size_t i = 0; i < vp.shared.dr.size(); ++i) header.put<uint64_t>(base + 0x48 + 8 * i, vp.shared.dr[i]);
  header.put<uint64_t>(base + 0x68, vp.shared.dr6);
  header.put<uint64_t>(base + 0x70, context.dr7);
  for (size_t i = 0; i < vtl::gpr_count; ++i)
    header.put<uint64_t>(base + 0x78 + 8 * i, i == vtl::Rsp ? context.rsp : vp.shared.gpr[i]);
  header.put<uint64_t>(base + 0xf8, context.rip);
  const vtl::FloatingPoint& fp = vp.shared.fp;
  header.put<uint16_t>(base + 0x100, fp.control);
  header.put<uint16_t>(base + 0x102, fp.status);
  header.put<uint8_t>(base + 0x104, fp.tag);
  header.put<uint16_t>(base + 0x106, fp.opcode);
  header.put<uint64_t>(base + 0x108, fp.instruction);
  header.put<uint64_t>(base + 0x110, fp.operand);
  header.put<uint32_t>(base + 0x118, fp.mxcsr);
  header.put<uint32_t>(base + 0x11c, 0xffff);
  for (size_t i = 0; i < fp.st.size(); ++i)
    header.put(base + 0x120 + 16 * i, std::array{fp.st[i].low, fp.st[i].high & 0xffff});
  for (size_t i = 0; i < fp.xmm.size(); ++i)
    header.put(base + 0x1a0 + 16 * i, std::array{fp.xmm[i].low, fp.xmm[i].high});
}

/// Why the system stopped: the parameters of KeBugCheckEx, if its frame is on the stack and its PDB says where they
/// are.
struct BugCheck {
  uint64_t code{live_system_dump};
  std::array<uint64_t, 4> parameters{};
};
BugCheck bug_check_of(const Present& present, Vtl vtl) {
  const symbols::Stack stack = symbols::stack_of(present.machine, present.vp, vtl, present.images, present.library, 16);
  const auto read = symbols::reader_of(present.machine, present.vp, vtl);
  for (const symbols::Frame& frame : stack.frames) {
    if (symbols::place_at(present.images, frame.pc(), frame.cr3).symbol != "KeBugCheckEx") continue;
    static constexpr std::array<std::string_view, 5> names{"code", "p1", "p2", "p3", "p4"};
    std::array<std::optional<uint64_t>, names.size()> values;
    for (const symbols::Variable& variable : symbols::variables_of(frame, present.images, present.library, read)) {
      const auto index = static_cast<size_t>(std::find(names.begin(), names.end(), variable.name) - names.begin());
      if (index < names.size() && variable.is_parameter && variable.inlined == 0) values[index] = variable.number;
    }
    if (!values[0]) return {};
    BugCheck out{*values[0] & 0xffffffff, {}};
    for (size_t i = 0; i < out.parameters.size(); ++i) out.parameters[i] = values[i + 1].value_or(0);
    return out;
  }
  return {};
}

std::vector<Run> runs_of(const PhysicalView& view) {
  std::vector<Run> runs;
  for (uint64_t page = 0; page < view.pages(); ++page) {
    if (!view.system_page(page)) continue;
    if (runs.empty() || runs.back().first + runs.back().count != page) runs.push_back({page, 0});
    ++runs.back().count;
  }
  // More holes than the header has room for are filled with zeros and listed.
  if (runs.size() > most_runs) return {{0, view.pages()}};
  return runs;
}

uint64_t pages_in(const std::vector<Run>& runs) {
  uint64_t pages = 0;
  for (const Run& run : runs) pages += run.count;
  return pages;
}

Header make_header(const Present& present, Vtl vtl, const std::vector<Run>& runs, std::string_view comment) {
  const vtl::VirtualProcessor& vp = present.machine.processor(present.vp);
  const vtl::VtlContext& context = vp.contexts[vtl];
  const BugCheck bug_check = bug_check_of(present, vtl);
  Header header;
  header.put<uint32_t>(0x00, 0x45474150);  // PAGE
  header.put<uint32_t>(0x04, 0x34365544);  // DU64
  header.put<uint32_t>(0x08, 15);          // a free build
  header.put<uint32_t>(0x0c, 10240);
  header.put<uint64_t>(0x10, context.cr3);
  header.zero(0x18, 24);  // PFN database, PsLoadedModuleList, PsActiveProcessHead: ours have other shapes
  header.put<uint32_t>(0x30, machine_amd64);
  header.put<uint32_t>(0x34, static_cast<uint32_t>(present.machine.processor_count()));
  header.put<uint32_t>(0x38, static_cast<uint32_t>(bug_check.code));
  header.put<uint32_t>(0x3c, 0);
  for (size_t i = 0; i < bug_check.parameters.size(); ++i) header.put<uint64_t>(0x40 + 8 * i, bug_check.parameters[i]);
  header.zero(0x60, 32);         // VersionUser
  header.put<uint64_t>(0x80, 0); // KdDebuggerDataBlock: NTOS here has none
  header.zero(0x88, 704);
  header.put<uint32_t>(0x88, static_cast<uint32_t>(runs.size()));
  header.put<uint64_t>(0x90, pages_in(runs));
  for (size_t i = 0; i < runs.size(); ++i) header.put(0x98 + 16 * i, runs[i]);
  put_context(header, 0x348, vp, vtl);
  header.zero(0xf00, 152);  // EXCEPTION_RECORD64
  header.put<uint32_t>(0xf00, status_breakpoint);
  header.put<uint64_t>(0xf10, context.rip);
  header.put<uint32_t>(0xf98, full_dump);
  header.put<uint64_t>(0xfa0, header_size + pages_in(runs) * abi::page_size);
  header.put<uint64_t>(0xfa8, 0);  // SystemTime: the clock is the machine's configuration, and nobody's
  header.text(0xfb0, comment, 128);
  header.put<uint64_t>(0x1030, present.machine.now().ticks / ticks_per_100ns);
  return header;
}

/// Ranges of pages that are zero in the dump though the machine has them.
class HiddenPages {
 public:
  void note(uint64_t page, PageView why) {
    if (!text_.empty() && page == next_ && why == why_) {
      ++next_;
      ++count_;
      return;
    }
    finish();
    from_ = page;
    next_ = page + 1;
    why_ = why;
    open_ = true;
    if (text_.empty()) text_ = "# guest physical addresses that are zero in the dump: from to why\n";
    ++count_;
  }
  void finish() {
    if (open_)
      text_ += fmt::format("{:#x} {:#x} {}\n", from_ * abi::page_size, next_ * abi::page_size,
                           why_ == PageView::Denied ? "denied" : "unmapped");
    open_ = false;
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] uint64_t count() const { return count_; }

 private:
  std::string text_;
  uint64_t from_{}, next_{}, count_{};
  PageView why_{};
  bool open_{};
};

Status write_pages(container::OutputFile& file, const PhysicalView& view, const std::vector<Run>& runs, bool everything,
                   HiddenPages& hidden) {
  constexpr size_t piece = 256;  // pages
  std::vector<uint8_t> bytes;
  for (const Run& run : runs) {
    for (uint64_t page = run.first; page < run.first + run.count; ++page) {
      const uint8_t* from = view.bytes(page, everything);
      const size_t at = bytes.size();
      bytes.resize(at + abi::page_size);
      if (from != nullptr) std::memcpy(bytes.data() + at, from, abi::page_size);
      else hidden.note(page, view.view(page));
      if (bytes.size() < piece * abi::page_size) continue;
      TRY(file.append(bytes));
      bytes.clear();
    }
  }
  hidden.finish();
  return file.append(bytes);
}

}  // namespace

Result<Written> write_kernel_dump(const Present& present, const std::string& path, const KernelDumpOptions& options) {
  const Vtl vtl = options.secure_kernel ? Vtl::Vtl1 : Vtl::Vtl0;
  if (options.secure_kernel && present.machine.processor(present.vp).contexts[vtl].cr3 == 0)
    return Error{"VTL 1 has not been started yet"};
  const PhysicalView view{present.machine, present.vp, vtl};
  const std::vector<Run> runs = runs_of(view);
  const std::string comment = fmt::format("Airlock, VTL {} at instant {}{}", options.secure_kernel ? 1 : 0,
                                          present.machine.now().ticks, options.secure_kernel ? ", experimental" : "");
  container::OutputFile file = TRY(container::OutputFile::create(path));
  TRY(file.append(make_header(present, vtl, runs, comment).bytes()));
  HiddenPages hidden;
  TRY(write_pages(file, view, runs, options.everything, hidden));
  Written out{file.size(), {path}, fmt::format("{} pages in {} runs", pages_in(runs), runs.size())};
  TRY(file.close());
  if (hidden.count() == 0) return out;
  const std::string beside = path + ".hidden.txt";
  container::OutputFile list = TRY(container::OutputFile::create(beside));
  TRY(list.append({reinterpret_cast<const uint8_t*>(hidden.text().data()), hidden.text().size()}));
  TRY(list.close());
  out.files.push_back(beside);
  out.text += fmt::format("; {} of them are zero because VTL {} may not read them: see {}", hidden.count(),
                          options.secure_kernel ? 1 : 0, beside);
  return out;
}

}  // namespace dump
