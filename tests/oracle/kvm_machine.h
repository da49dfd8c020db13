#pragma once
// A virtual machine with one processor made of raw KVM calls: what an instruction does on a processor that this project
// did not write. Registers go in and come out as vtl::VirtualProcessor.
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "vtl/virtual_processor.h"

struct kvm_run;

namespace oracle {

/// How a run of the other machine ended.
enum class KvmStop : uint8_t {
  Halt,           ///< HLT, RIP behind it
  Step,           ///< one instruction was executed
  Shutdown,       ///< triple fault
  Port,           ///< IN or OUT
  Memory,         ///< an address without memory
  CannotEmulate,  ///< KVM executes this privilege level in software, and does not know the instruction
  TimeOut,
  Failed,
};
const char* name_of(KvmStop stop);

/// Where the host executes guest instructions itself. A KVM without VMX and SVM (such as kvm_pvm) runs only 64-bit code of
/// CPL 3 on the processor, and the rest in an emulator in the kernel: not the processor, but not QEMU's offspring either.
struct KvmKind {
  bool kernel_is_native{};  ///< CPL 0 executes on the processor
  bool gib_pages{};         ///< page-directory-pointer entries may map 1 GiB
  std::string text;
};

class KvmMachine {
 public:
  /// Null, with the reason, if there is no usable /dev/kvm. RAM is [0, bytes), at most 1 GiB, a multiple of the page size.
  static std::unique_ptr<KvmMachine> open(uint64_t bytes, std::string& why_not);
  ~KvmMachine();
  KvmMachine(const KvmMachine&) = delete;
  KvmMachine& operator=(const KvmMachine&) = delete;

  [[nodiscard]] std::span<uint8_t> ram() const { return {ram_, bytes_}; }
  /// After page tables were written from outside: a KVM that shadows them forgets what it knows.
  void forget_translations();

  /// False if KVM refuses the registers as inconsistent.
  bool load(const vtl::VirtualProcessor& vp);
  void store(vtl::VirtualProcessor& vp);

  KvmStop run();   ///< until something happens, two seconds at most
  KvmStop step();  ///< one instruction
  [[nodiscard]] const KvmKind& kind() const { return kind_; }

 private:
  KvmMachine() = default;
  bool create(uint64_t bytes, std::string& why_not);
  void examine();
  bool set_debug(bool single_step);
  bool load_floating_point(const vtl::FloatingPoint& fp);
  void store_floating_point(vtl::FloatingPoint& fp);
  void set_memory(uint64_t bytes);
  KvmStop enter();

  int kvm_ = -1, vm_ = -1, vcpu_ = -1;
  kvm_run* run_ = nullptr;
  uint64_t run_bytes_ = 0;
  uint8_t* ram_ = nullptr;
  uint64_t bytes_ = 0;
  bool stepping_ = false;
  KvmKind kind_;
};

}  // namespace oracle
