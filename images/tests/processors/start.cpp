// Processors come up by HvCallStartVirtualProcessor and wait for work.
#include <string.h>

#include "processors.h"

using namespace kernel;
using namespace abi::hv;

extern "C" void processor_start();

namespace processors {
namespace {

struct Mailbox {
  std::atomic<Work> work;
  std::atomic<bool> waits;
};
Mailbox mailboxes[count];

}  // namespace

InitialVpContext waiting_context(unsigned) {
  constexpr uint64_t stack_pages = 4;
  uint64_t stack = 0;
  for (uint64_t i = 0; i < stack_pages; ++i) stack = allocate_page() + 4096;
  return call::context_here(reinterpret_cast<uint64_t>(processor_start), stack - 32);  // room that every callee may use
}

extern "C" [[noreturn]] void wait_for_work(unsigned index) {
  Mailbox& box = mailboxes[index];
  apic(apic_spurious) = 0x1FF;
  box.waits = true;
  for (;;) {
    Work work = nullptr;
    while ((work = box.work.exchange(nullptr)) == nullptr) arch::pause();
    work(index);
    box.waits = true;
  }
}

bool waits_for_work(unsigned index) { return mailboxes[index].waits; }
void tell(unsigned index, Work work) {
  mailboxes[index].waits = false;
  mailboxes[index].work = work;
}
void wait_for(unsigned index) {
  while (!mailboxes[index].waits) arch::pause();
}

}  // namespace processors

namespace {

using namespace processors;

call::Result start(uint32_t index, uint8_t vtl = 0) {
  EnableVpVtl header{};
  header.target_partition = partition_self;
  header.target_vp = index;
  header.target_vtl = vtl;
  header.context = waiting_context(index);
  return call::simple(CallCode::StartVirtualProcessor, header);
}

const char* refusals() {
  EXPECT_STATUS(start(0), InvalidVpIndex);      // the caller itself
  EXPECT_STATUS(start(count), InvalidVpIndex);  // none
  EXPECT_STATUS(start(1, 1), AccessDenied);     // a higher level than the caller's
  return nullptr;
}

const char* all_start() {
  for (unsigned index = 1; index < count; ++index) {
    EXPECT_THAT(!waits_for_work(index));
    EXPECT_STATUS(start(index), Success);
  }
  for (unsigned index = 1; index < count; ++index) wait_for(index);
  EXPECT_STATUS(start(1), InvalidVpState);  // it runs already
  return nullptr;
}

uint64_t apic_ids[count], indices[count];

const char* each_knows_itself() {
  for (unsigned index = 1; index < count; ++index) {
    have_done(index, [](unsigned i) {
      apic_ids[i] = apic(0x20) >> 24;
      indices[i] = arch::read_msr(msr::VpIndex);
    });
    EXPECT_EQUAL(indices[index], index);
    EXPECT_EQUAL(apic_ids[index], index);
  }
  return nullptr;
}

constexpr Test tests[] = {
    {"processors that do not exist, run, or lack the level do not start", refusals},
    {"three processors start by hypercall", all_start},
    {"each processor has its own index and local APIC", each_knows_itself},
};

}  // namespace

std::span<const Test> start_tests() { return tests; }
