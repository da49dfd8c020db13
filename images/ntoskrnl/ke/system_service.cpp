// The system service table and its two callers: SYSCALL from ring 3, and the dispatch loop of
// secure calls (states 2 and 3).
#include <string.h>

#include "ex/services.h"
#include "ke/ke.h"
#include "mm/mm.h"

namespace {

constexpr uint32_t service_limit = 0x1C0;

uint64_t not_implemented(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                         uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) {
  return static_cast<uint32_t>(NtStatus::NotImplemented);
}

struct Row {
  uint32_t number;
  SystemService function;
  const char* name;
};
// Numbers without a row are services of 10240 that no source of this project names: not implemented
// as well.
constexpr Row rows[] = {
#define NT_SERVICE(name, number) {number, name, #name},
#define NT_ABSENT(name, number) {number, not_implemented, #name},
#include "ke/system_services.def"
};

consteval bool ascending() {
  for (size_t i = 1; i < sizeof rows / sizeof rows[0]; ++i)
    if (rows[i].number <= rows[i - 1].number) return false;
  return rows[sizeof rows / sizeof rows[0] - 1].number < service_limit;
}
static_assert(ascending(), "system_services.def must be sorted and below the limit");

const Row* find(uint32_t number) {
  for (const Row& row : rows)
    if (row.number == number) return &row;
  return nullptr;
}

struct StackArguments {
  uint64_t from;
  uint64_t values[8];
};

// Arguments 5 to 12 lie above the return address and the home space of the stub's caller.
bool read_stack_arguments(uint64_t user_rsp, StackArguments& out) {
  out.from = user_rsp + 0x28;
  if (!MmProbe(out.from, sizeof out.values, false)) return false;
  return succeeded(KeTryAccess(
      [](void* context) {
        auto a = static_cast<StackArguments*>(context);
        memcpy(a->values, reinterpret_cast<const void*>(a->from), sizeof a->values);
        return NtStatus::Success;
      },
      &out, nullptr));
}

}  // namespace

NtStatus KiDispatchSystemService(uint32_t number, const uint64_t (&a)[12]) {
  if (number >= service_limit) return NtStatus::InvalidSystemService;
  const Row* row = find(number);
  const SystemService function = row == nullptr ? not_implemented : row->function;
  return static_cast<NtStatus>(static_cast<uint32_t>(
      function(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11])));
}

extern "C" void KiSystemServiceUser(KTRAP_FRAME* frame) {
  const KernelLock lock;
  KTHREAD* thread = KeGetCurrentThread();
  thread->previous_mode = Mode::User;
  uint64_t arguments[12]{frame->r10, frame->rdx, frame->r8, frame->r9};
  StackArguments stack{};
  if (read_stack_arguments(frame->rsp, stack))
    memcpy(arguments + 4, stack.values, sizeof stack.values);
  frame->rax =
      static_cast<uint32_t>(KiDispatchSystemService(static_cast<uint32_t>(frame->rax), arguments));
}
