#include "tests/oracle/kvm_machine.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace oracle {
namespace {

constexpr uint32_t longest_run_in_seconds = 2;

kvm_segment to_kvm(const vtl::Segment& s) {
  const unsigned a = s.attributes;
  const auto bits = [a](unsigned shift, unsigned mask) {
    return static_cast<uint8_t>((a >> shift) & mask);
  };
  kvm_segment k{};
  k.base = s.base;
  k.limit = s.limit;
  k.selector = s.selector;
  k.type = bits(0, 15);
  k.s = bits(4, 1);
  k.dpl = bits(5, 3);
  k.present = bits(7, 1);
  k.avl = bits(12, 1);
  k.l = bits(13, 1);
  k.db = bits(14, 1);
  k.g = bits(15, 1);
  k.unusable = k.present == 0;
  return k;
}

vtl::Segment from_kvm(const kvm_segment& k) {
  const unsigned a = unsigned{k.type} | unsigned{k.s} << 4 | unsigned{k.dpl} << 5 |
                     unsigned{k.present} << 7 | unsigned{k.avl} << 12 | unsigned{k.l} << 13 |
                     unsigned{k.db} << 14 | unsigned{k.g} << 15;
  return {k.base, k.limit, k.selector, static_cast<uint16_t>(a)};
}

constexpr uint32_t msr_numbers[] = {0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084,
                                    0xC0000102, 0x174,      0x175,      0x176};

// kvm_cpuid2, kvm_msrs and kvm_xsave end with a flexible array, whose place C++ and the kernel see differently: these are the kernel's.
struct CpuidList {
  uint32_t count, padding;
  kvm_cpuid_entry2 entries[128];
};
struct MsrList {
  uint32_t count, padding;
  kvm_msr_entry entries[std::size(msr_numbers)];
};
struct XsaveArea {
  uint32_t region[1024];
};
constexpr unsigned long list_ioctl(unsigned direction, unsigned number) {
  return _IOC(direction, KVMIO, number, 2 * sizeof(uint32_t));
}
constexpr unsigned long get_xsave = _IOC(_IOC_READ, KVMIO, 0xa4, sizeof(XsaveArea));
constexpr unsigned long set_xsave = _IOC(_IOC_WRITE, KVMIO, 0xa5, sizeof(XsaveArea));
constexpr unsigned long get_supported_cpuid = list_ioctl(_IOC_READ | _IOC_WRITE, 0x05);
constexpr unsigned long set_cpuid = list_ioctl(_IOC_WRITE, 0x90);
constexpr unsigned long get_msrs = list_ioctl(_IOC_READ | _IOC_WRITE, 0x88);
constexpr unsigned long set_msrs = list_ioctl(_IOC_WRITE, 0x89);

/// SDM vol. 2, FXSAVE, 64-bit layout without what follows the registers.
struct FxsaveArea {
  uint16_t control, status;
  uint8_t tag, reserved;
  uint16_t opcode;
  uint64_t instruction, operand;
  uint32_t mxcsr, mxcsr_mask;
  uint8_t st[8][16], xmm[16][16];
};
static_assert(sizeof(FxsaveArea) == 416);

void ignore_signal(int) {}

}  // namespace

const char* name_of(KvmStop stop) {
  static constexpr const char* names[] = {"halt",   "step",           "shutdown", "port",
                                          "memory", "cannot emulate", "time-out", "failed"};
  return names[static_cast<size_t>(stop)];
}

std::unique_ptr<KvmMachine> KvmMachine::open(uint64_t bytes, std::string& why_not) {
  std::unique_ptr<KvmMachine> machine{new KvmMachine};
  if (!machine->create(bytes, why_not)) return nullptr;
  machine->examine();
  return machine;
}

bool KvmMachine::create(uint64_t bytes, std::string& why_not) {
  const auto refuse = [&](const char* what) {
    why_not = std::string{what} + ": " + std::strerror(errno);
    return false;
  };
  kvm_ = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm_ < 0) return refuse("/dev/kvm cannot be opened");
  if (ioctl(kvm_, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) return refuse("another KVM API");
  vm_ = ioctl(kvm_, KVM_CREATE_VM, 0);
  if (vm_ < 0) return refuse("KVM_CREATE_VM");
  void* ram = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ram == MAP_FAILED) return refuse("mmap");
  ram_ = static_cast<uint8_t*>(ram);
  bytes_ = bytes;
  set_memory(bytes);
  vcpu_ = ioctl(vm_, KVM_CREATE_VCPU, 0);
  if (vcpu_ < 0) return refuse("KVM_CREATE_VCPU");
  const int size = ioctl(kvm_, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size <= 0) return refuse("KVM_GET_VCPU_MMAP_SIZE");
  run_bytes_ = static_cast<uint64_t>(size);
  void* run = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_, 0);
  if (run == MAP_FAILED) return refuse("mmap of the processor");
  run_ = static_cast<kvm_run*>(run);
  CpuidList cpuid{};
  cpuid.count = std::size(cpuid.entries);
  if (ioctl(kvm_, get_supported_cpuid, &cpuid) != 0) return refuse("KVM_GET_SUPPORTED_CPUID");
  // XSAVE stays, because KVM's own KVM_SET_XSAVE needs it. What else Airlock does not have is not offered: no AVX, BMI, ADX, SHA, FSGSBASE, UMIP.
  for (uint32_t i = 0; i < cpuid.count; ++i) {
    kvm_cpuid_entry2& leaf = cpuid.entries[i];
    // Intel's, as Airlock: KVM's own walker and emulator follow the vendor.
    if (leaf.function == 0 || leaf.function == 0x80000000) {
      leaf.ebx = 0x756e6547;
      leaf.edx = 0x49656e69;
      leaf.ecx = 0x6c65746e;
    }
    if (leaf.function == 1) leaf.ecx &= ~(1u << 27 | 1u << 28 | 1u << 29 | 1u << 12);
    if (leaf.function == 7 && leaf.index == 0) {
      leaf.ebx &= 1u << 7 | 1u << 9 | 1u << 20;
      leaf.ecx = leaf.edx = 0;
    }
    if (leaf.function == 0x80000001) kind_.gib_pages = (leaf.edx >> 26 & 1) != 0;
    if (leaf.function == 0x80000001) leaf.ecx &= 1u << 0 | 1u << 8;
  }
  if (ioctl(vcpu_, set_cpuid, &cpuid) != 0) return refuse("KVM_SET_CPUID2");
  struct sigaction action{};
  action.sa_handler = ignore_signal;
  sigaction(SIGALRM, &action, nullptr);
  return true;
}

KvmMachine::~KvmMachine() {
  if (run_ != nullptr) munmap(run_, run_bytes_);
  for (const int fd : {vcpu_, vm_, kvm_}) {
    if (fd >= 0) ::close(fd);
  }
  if (ram_ != nullptr) munmap(ram_, bytes_);
}

void KvmMachine::set_memory(uint64_t bytes) {
  kvm_userspace_memory_region region{};
  region.memory_size = bytes;
  region.userspace_addr = reinterpret_cast<uint64_t>(ram_);
  ioctl(vm_, KVM_SET_USER_MEMORY_REGION, &region);
}

void KvmMachine::forget_translations() {
  set_memory(0);
  set_memory(bytes_);
}

/// Executes `addps; hlt` without paging: the emulator in the kernel does not know ADDPS.
void KvmMachine::examine() {
  vtl::VirtualProcessor vp;
  vtl::VtlContext& c = vp.context();
  c.cr0 = 0x33;
  c.cr4 = 0x600;
  c.segments.fill({0, ~0u, 16, 0xc093});
  c.segments[vtl::Cs] = {0, ~0u, 8, 0xc09b};
  c.tr = {0, 0x67, 0x40, 0x8b};
  c.rip = 0x1000;
  constexpr uint8_t code[] = {0x0f, 0x58, 0xc1, 0xf4};
  std::memcpy(ram_ + 0x1000, code, sizeof code);
  kind_.kernel_is_native = load(vp) && run() == KvmStop::Halt;
  std::memset(ram_ + 0x1000, 0, sizeof code);
  kind_.text = kind_.kernel_is_native
                   ? "the processor executes every privilege level"
                   : "the processor executes 64-bit CPL 3; the rest is KVM's own emulator";
}

bool KvmMachine::load(const vtl::VirtualProcessor& vp) {
  const vtl::VtlContext& c = vp.context();
  kvm_sregs s{};
  if (ioctl(vcpu_, KVM_GET_SREGS, &s) != 0) return false;
  s.es = to_kvm(c.segments[vtl::Es]);
  s.cs = to_kvm(c.segments[vtl::Cs]);
  s.ss = to_kvm(c.segments[vtl::Ss]);
  s.ds = to_kvm(c.segments[vtl::Ds]);
  s.fs = to_kvm(c.segments[vtl::Fs]);
  s.gs = to_kvm(c.segments[vtl::Gs]);
  s.tr = to_kvm(c.tr);
  s.ldt = to_kvm(c.ldtr);
  s.gdt.base = c.gdtr.base;
  s.gdt.limit = c.gdtr.limit;
  s.idt.base = c.idtr.base;
  s.idt.limit = c.idtr.limit;
  s.cr0 = c.cr0;
  s.cr2 = vp.shared.cr2;
  s.cr3 = c.cr3;
  s.cr4 = c.cr4;
  s.efer = c.efer;
  s.cr8 = 0;
  std::memset(s.interrupt_bitmap, 0, sizeof s.interrupt_bitmap);
  if (ioctl(vcpu_, KVM_SET_SREGS, &s) != 0) return false;

  kvm_vcpu_events events{};
  if (ioctl(vcpu_, KVM_GET_VCPU_EVENTS, &events) != 0) return false;
  events.exception = {};
  events.interrupt = {};
  events.nmi = {};
  events.flags = KVM_VCPUEVENT_VALID_SHADOW;
  if (ioctl(vcpu_, KVM_SET_VCPU_EVENTS, &events) != 0) return false;

  kvm_regs r{};
  r.rip = c.rip;
  r.rflags = c.rflags;
  __u64* const order[] = {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi,
                          &r.r8,  &r.r9,  &r.r10, &r.r11, &r.r12, &r.r13, &r.r14, &r.r15};
  for (size_t i = 0; i < 16; ++i)
    *order[i] = i == vtl::Rsp ? c.rsp : vp.shared.gpr[i];
  if (ioctl(vcpu_, KVM_SET_REGS, &r) != 0) return false;

  if (!load_floating_point(vp.shared.fp)) return false;

  kvm_debugregs d{};
  for (size_t i = 0; i < 4; ++i)
    d.db[i] = vp.shared.dr[i];
  d.dr6 = vp.shared.dr6;
  d.dr7 = c.dr7;
  if (ioctl(vcpu_, KVM_SET_DEBUGREGS, &d) != 0) return false;

  MsrList msrs{};
  msrs.count = std::size(msr_numbers);
  const uint64_t values[] = {c.star,           c.lstar,       c.cstar,        c.sfmask,
                             c.kernel_gs_base, c.sysenter_cs, c.sysenter_esp, c.sysenter_eip};
  for (size_t i = 0; i < std::size(msr_numbers); ++i)
    msrs.entries[i] = {msr_numbers[i], 0, values[i]};
  return ioctl(vcpu_, set_msrs, &msrs) == static_cast<int>(std::size(msr_numbers));
}

void KvmMachine::store(vtl::VirtualProcessor& vp) {
  vtl::VtlContext& c = vp.context();
  kvm_sregs s{};
  ioctl(vcpu_, KVM_GET_SREGS, &s);
  const kvm_segment* const segments[] = {&s.es, &s.cs, &s.ss, &s.ds, &s.fs, &s.gs};
  for (size_t i = 0; i < std::size(segments); ++i)
    c.segments[i] = from_kvm(*segments[i]);
  c.tr = from_kvm(s.tr);
  c.ldtr = from_kvm(s.ldt);
  c.gdtr = {s.gdt.base, s.gdt.limit};
  c.idtr = {s.idt.base, s.idt.limit};
  c.cr0 = s.cr0;
  vp.shared.cr2 = s.cr2;
  c.cr3 = s.cr3;
  c.cr4 = s.cr4;
  c.efer = s.efer;
  kvm_regs r{};
  ioctl(vcpu_, KVM_GET_REGS, &r);
  c.rip = r.rip;
  c.rflags = r.rflags;
  const uint64_t order[] = {r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi,
                            r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
  for (size_t i = 0; i < 16; ++i)
    vp.shared.gpr[i] = i == vtl::Rsp ? 0 : order[i];
  c.rsp = r.rsp;
  store_floating_point(vp.shared.fp);
  kvm_debugregs d{};
  ioctl(vcpu_, KVM_GET_DEBUGREGS, &d);
  for (size_t i = 0; i < 4; ++i)
    vp.shared.dr[i] = d.db[i];
  vp.shared.dr6 = d.dr6;
  c.dr7 = d.dr7;
  MsrList msrs{};
  msrs.count = std::size(msr_numbers);
  for (size_t i = 0; i < std::size(msr_numbers); ++i)
    msrs.entries[i].index = msr_numbers[i];
  ioctl(vcpu_, get_msrs, &msrs);
  uint64_t* const values[] = {&c.star,           &c.lstar,       &c.cstar,        &c.sfmask,
                              &c.kernel_gs_base, &c.sysenter_cs, &c.sysenter_esp, &c.sysenter_eip};
  for (size_t i = 0; i < std::size(msr_numbers); ++i)
    *values[i] = msrs.entries[i].data;
}

// Through XSAVE's image (SDM vol. 1, 13.4): KVM_GET_FPU leaves MXCSR out.
bool KvmMachine::load_floating_point(const vtl::FloatingPoint& fp) {
  XsaveArea image{};
  FxsaveArea area{};
  area.control = fp.control;
  area.status = fp.status;
  area.tag = fp.tag;
  area.mxcsr = fp.mxcsr;
  area.mxcsr_mask = 0xffff;
  std::memcpy(area.st, fp.st.data(), sizeof area.st);
  std::memcpy(area.xmm, fp.xmm.data(), sizeof area.xmm);
  std::memcpy(image.region, &area, sizeof area);
  constexpr uint32_t x87_and_sse = 3;
  image.region[512 / 4] = x87_and_sse;
  return ioctl(vcpu_, set_xsave, &image) == 0;
}

void KvmMachine::store_floating_point(vtl::FloatingPoint& fp) {
  XsaveArea image{};
  ioctl(vcpu_, get_xsave, &image);
  FxsaveArea area{};
  std::memcpy(&area, image.region, sizeof area);
  fp.control = area.control;
  fp.status = area.status;
  fp.tag = area.tag;
  fp.mxcsr = area.mxcsr;
  std::memcpy(fp.st.data(), area.st, sizeof area.st);
  for (vtl::Xmm& st : fp.st)
    st.high &= 0xffff;
  std::memcpy(fp.xmm.data(), area.xmm, sizeof area.xmm);
}

bool KvmMachine::set_debug(bool single_step) {
  if (stepping_ == single_step) return true;
  kvm_guest_debug debug{};
  if (single_step) debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
  stepping_ = single_step;
  return ioctl(vcpu_, KVM_SET_GUEST_DEBUG, &debug) == 0;
}

KvmStop KvmMachine::run() {
  return set_debug(false) ? enter() : KvmStop::Failed;
}
KvmStop KvmMachine::step() {
  return set_debug(true) ? enter() : KvmStop::Failed;
}

KvmStop KvmMachine::enter() {
  alarm(longest_run_in_seconds);
  const int result = ioctl(vcpu_, KVM_RUN, 0);
  const int error = errno;
  alarm(0);
  if (result != 0) return error == EINTR ? KvmStop::TimeOut : KvmStop::Failed;
  switch (run_->exit_reason) {
    case KVM_EXIT_HLT:
      return KvmStop::Halt;
    case KVM_EXIT_DEBUG:
      return KvmStop::Step;
    case KVM_EXIT_SHUTDOWN:
      return KvmStop::Shutdown;
    case KVM_EXIT_IO:
      return KvmStop::Port;
    case KVM_EXIT_MMIO:
      return KvmStop::Memory;
    case KVM_EXIT_INTERNAL_ERROR:
      return KvmStop::CannotEmulate;
    default:
      return KvmStop::Failed;
  }
}

}  // namespace oracle
