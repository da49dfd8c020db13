// An ELF core of one address space: registers in notes, and one segment per run of pages. Layout: System V ABI and
// AMD64 supplement; NT_PRSTATUS as Linux' <linux/elfcore.h> has it, which gdb expects.
#include <elf.h>
#include <fmt/format.h>
#include <sys/procfs.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "sim/container/output_file.h"
#include "sim/dump/dump.h"
#include "sim/dump/physical_view.h"

namespace dump {
namespace {

using support::Result;
using support::Status;
using support::Unit;

template <class T>
void append(std::vector<uint8_t>& to, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof value);
}

void append_note(std::vector<uint8_t>& to, uint32_t type, const void* data, size_t size) {
  append(to, Elf64_Nhdr{5, static_cast<uint32_t>(size), type});
  const char name[8] = "CORE";
  append(to, name);
  const auto* bytes = static_cast<const uint8_t*>(data);
  to.insert(to.end(), bytes, bytes + size);
  to.resize((to.size() + 3) / 4 * 4);
}

/// The registers of `vtl`, as thread `vp.number` + 1.
void append_registers(std::vector<uint8_t>& notes, const vtl::VirtualProcessor& vp, vtl::Vtl vtl) {
  const vtl::VtlContext& context = vp.contexts[vtl];
  const auto& gpr = vp.shared.gpr;
  elf_prstatus status{};
  status.pr_pid = static_cast<pid_t>(vp.number + 1);
  status.pr_fpvalid = 1;
  using enum vtl::Gpr;
  const uint64_t registers[] = {gpr[R15],
                                gpr[R14],
                                gpr[R13],
                                gpr[R12],
                                gpr[Rbp],
                                gpr[Rbx],
                                gpr[R11],
                                gpr[R10],
                                gpr[R9],
                                gpr[R8],
                                gpr[Rax],
                                gpr[Rcx],
                                gpr[Rdx],
                                gpr[Rsi],
                                gpr[Rdi],
                                ~uint64_t{0},  // the last: no system call is under way
                                context.rip,
                                context.segments[vtl::Cs].selector,
                                context.rflags,
                                context.rsp,
                                context.segments[vtl::Ss].selector,
                                context.segments[vtl::Fs].base,
                                context.segments[vtl::Gs].base,
                                context.segments[vtl::Ds].selector,
                                context.segments[vtl::Es].selector,
                                context.segments[vtl::Fs].selector,
                                context.segments[vtl::Gs].selector};
  static_assert(sizeof registers == sizeof status.pr_reg);
  std::memcpy(&status.pr_reg, registers, sizeof registers);
  append_note(notes, NT_PRSTATUS, &status, sizeof status);

  const vtl::FloatingPoint& fp = vp.shared.fp;
  std::array<uint8_t, 512> fxsave{};
  const auto put = [&](size_t offset, const auto& value) { std::memcpy(fxsave.data() + offset, &value, sizeof value); };
  put(0, fp.control);
  put(2, fp.status);
  put(4, fp.tag);
  put(6, fp.opcode);
  put(8, fp.instruction);
  put(16, fp.operand);
  put(24, fp.mxcsr);
  for (size_t i = 0; i < fp.st.size(); ++i) put(32 + 16 * i, std::array{fp.st[i].low, fp.st[i].high & 0xffff});
  for (size_t i = 0; i < fp.xmm.size(); ++i) put(160 + 16 * i, std::array{fp.xmm[i].low, fp.xmm[i].high});
  append_note(notes, NT_FPREGSET, fxsave.data(), fxsave.size());
}

std::vector<uint8_t> notes_of(const Present& present) {
  std::vector<uint8_t> notes;
  append_registers(notes, present.machine.processor(present.vp), present.vtl);
  for (size_t i = 0; i < present.machine.processor_count(); ++i)
    if (i != present.vp) append_registers(notes, present.machine.processor(i), present.vtl);
  return notes;
}

/// The system pages that any run names, in order: the file has each once, and segments share them.
class StoredPages {
 public:
  StoredPages(const MappedSpace& space, uint64_t all) : wanted_(all) {
    for (const MappedRun& run : space.runs)
      std::fill_n(wanted_.begin() + static_cast<ptrdiff_t>(run.page), run.pages, true);
    for (uint64_t page = 0; page < all; ++page) {
      if (page % 4096 == 0) before_.push_back(count_);
      count_ += wanted_[page] ? 1 : 0;
    }
  }
  /// Stored pages before `page`.
  [[nodiscard]] uint64_t before(uint64_t page) const {
    uint64_t count = before_[page / 4096];
    for (uint64_t i = page / 4096 * 4096; i < page; ++i) count += wanted_[i] ? 1 : 0;
    return count;
  }
  [[nodiscard]] bool has(uint64_t page) const { return wanted_[page]; }

 private:
  std::vector<bool> wanted_;
  std::vector<uint64_t> before_;
  uint64_t count_{};
};

std::vector<uint8_t> headers_of(const MappedSpace& space, const StoredPages& stored, uint64_t notes_size,
                                uint64_t& data_at) {
  const size_t segments = space.runs.size() + 1;
  const uint64_t notes_at = sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr);
  data_at = (notes_at + notes_size + abi::page_size - 1) / abi::page_size * abi::page_size;
  Elf64_Ehdr file{};
  std::memcpy(file.e_ident, ELFMAG, SELFMAG);
  file.e_ident[EI_CLASS] = ELFCLASS64;
  file.e_ident[EI_DATA] = ELFDATA2LSB;
  file.e_ident[EI_VERSION] = EV_CURRENT;
  file.e_type = ET_CORE;
  file.e_machine = EM_X86_64;
  file.e_version = EV_CURRENT;
  file.e_phoff = sizeof file;
  file.e_ehsize = sizeof file;
  file.e_phentsize = sizeof(Elf64_Phdr);
  file.e_phnum = static_cast<Elf64_Half>(segments);
  std::vector<uint8_t> out;
  append(out, file);
  Elf64_Phdr note{};
  note.p_type = PT_NOTE;
  note.p_offset = notes_at;
  note.p_filesz = notes_size;
  append(out, note);
  for (const MappedRun& run : space.runs) {
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | (run.writable ? PF_W : 0u) | (run.executable ? PF_X : 0u);
    load.p_offset = data_at + stored.before(run.page) * abi::page_size;
    load.p_vaddr = run.address;
    load.p_paddr = run.page * abi::page_size;
    load.p_filesz = load.p_memsz = run.pages * abi::page_size;
    load.p_align = abi::page_size;
    append(out, load);
  }
  return out;
}

Status write_pages(container::OutputFile& file, const mmu::PhysicalMemory& memory, const StoredPages& stored) {
  constexpr uint64_t piece = 256;
  for (uint64_t page = 0; page < memory.page_count();) {
    if (!stored.has(page)) {
      ++page;
      continue;
    }
    uint64_t end = page;
    while (end < memory.page_count() && end - page < piece && stored.has(end)) ++end;
    TRY(file.append(
        {memory.page_pointer(mmu::Spa{page * abi::page_size}), static_cast<size_t>((end - page) * abi::page_size)}));
    page = end;
  }
  return Unit{};
}

}  // namespace

Result<Written> write_core(const Present& present, const std::string& path) {
  const MappedSpace space = TRY(map_space(present.machine, present.vp, present.vtl));
  const mmu::PhysicalMemory& memory = present.machine.translator().memory();
  const StoredPages stored{space, memory.page_count()};
  const std::vector<uint8_t> notes = notes_of(present);
  uint64_t data_at = 0;
  std::vector<uint8_t> head = headers_of(space, stored, notes.size(), data_at);
  head.insert(head.end(), notes.begin(), notes.end());
  head.resize(static_cast<size_t>(data_at));
  container::OutputFile file = TRY(container::OutputFile::create(path));
  TRY(file.append(head));
  TRY(write_pages(file, memory, stored));
  uint64_t pages = 0;
  for (const MappedRun& run : space.runs) pages += run.pages;
  Written out{file.size(), {path}, fmt::format("{} pages of VTL {}'s address space in {} segments", pages,
                                               static_cast<int>(present.vtl), space.runs.size())};
  if (space.left_out != 0)
    out.text += fmt::format("; {} mapped pages cannot be read and are not there", space.left_out);
  if (!space.whole) out.text += "; the tables map more than fits: the rest is not there";
  TRY(file.close());
  return out;
}

}  // namespace dump
