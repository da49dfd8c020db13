// Further processors: started by HvCallStartVirtualProcessor, or where there is a secure kernel by secure service 2, and then
// they come to NTOS by way of VTL 1.
#include "abi/hv/structs.h"
#include "boot/debug.h"
#include "hvl/hvl.h"
#include "ke/ke.h"
#include "mm/mm.h"
#include "ps/ps.h"

uint32_t KeNumberProcessors = 1;

KPCR* KiDescribeProcessor(uint32_t number, abi::hv::InitialVpContext& context);
void KiInitializeIdleThread(KTHREAD* thread, EPROCESS* process, uint64_t stack_top, uint64_t stack_size);

namespace {

constexpr uint32_t most_processors = 8;
constexpr uint64_t idle_stack_size = 0x6000;
constexpr uint32_t processor_tag = 0x2043504B;  // "KPC "

struct Start {
  KTHREAD* idle_thread;
  uint64_t stack_top;
  KEVENT runs;
};
Start starts[most_processors];

uint32_t count_processors() {
  const uint32_t count = arch::cpuid(1).ebx >> 16 & 0xFF;
  return count < most_processors ? count : most_processors;
}

// The secure kernel denies HvCallStartVirtualProcessor to VTL 0, and does it itself.
bool start_by_vtl1(uint32_t number, const abi::hv::InitialVpContext& context) {
  const PFN page = MiAllocatePage();
  *MiPhysicalToVirtual<abi::hv::InitialVpContext>(page * PAGE_SIZE) = context;
  SecureCall call;
  call[0] = number;
  call[1] = page;
  const NtStatus status = call(SecureService::StartProcessor);
  MiFreePages(page, 1);
  if (!succeeded(status))
    DbgPrintEx("ntoskrnl: processor {}: the secure kernel answered {:#010x}\n", number, status);
  return succeeded(status);
}

bool start_by_hypervisor(uint32_t number, const abi::hv::InitialVpContext& context) {
  const uint16_t status = HvlStartVirtualProcessor(number, context);
  if (status != 0) DbgPrintEx("ntoskrnl: processor {}: the hypervisor answered {:#06x}\n", number, status);
  return status == 0;
}

}  // namespace

// The first code of VTL 0 on a further processor.
extern "C" [[noreturn]] void KiStartProcessor() {
  KiAcquireKernel();
  Start& start = starts[KeGetCurrentProcessorNumber()];
  KiInitializeIdleThread(start.idle_thread, PsInitialSystemProcess, start.stack_top, idle_stack_size);
  KiInitializeSystemCalls();
  KiInitializeClockOnProcessor();
  boot::milestone("ntoskrnl: processor {} runs{}", KeGetCurrentProcessorNumber(),
                  HvlVsmActive() ? ", with VTL 1 above it" : "");
  KeSetEvent(&start.runs);
  KiIdleLoop();
}

static bool start_processor(uint32_t number) {
  Start& start = starts[number];
  abi::hv::InitialVpContext context{};
  const KPCR* pcr = KiDescribeProcessor(number, context);
  start.idle_thread = ExAllocate<KTHREAD>(processor_tag);
  const auto stack = reinterpret_cast<uint64_t>(ExAllocatePoolWithTag(0, idle_stack_size, processor_tag));
  if (pcr == nullptr || start.idle_thread == nullptr || stack == 0) return false;
  start.stack_top = (stack + idle_stack_size) & ~15ull;
  KeInitializeEvent(&start.runs, DispatcherType::NotificationEvent, false);
  context.rip = reinterpret_cast<uint64_t>(&KiStartProcessor);
  context.rsp = start.stack_top - 0x28;
  if (!(HvlVsmActive() ? start_by_vtl1(number, context) : start_by_hypervisor(number, context))) return false;
  KeWaitForSingleObject(&start.runs.header, nullptr);
  return true;
}

void KeStartAllProcessors() {
  if (!HvlQueryHypervisorPresent()) return;
  const uint32_t count = count_processors();
  for (uint32_t number = 1; number < count && start_processor(number); ++number) ++KeNumberProcessors;
}
