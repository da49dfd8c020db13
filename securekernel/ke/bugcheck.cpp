#include "ke/bugcheck.h"

#include "dbg/debug_port.h"
#include "rt/arch.h"

namespace sk {

// Reset control register of the chipset: 6 = full reset.
static constexpr uint16_t reset_port = 0xCF9;

void SkeBugCheck(const char* reason) {
  DbgMilestone("securekernel: *** SECURE_KERNEL_ERROR (0x18B): {}", reason);
  arch::out8(reset_port, 6);
  arch::stop();
}

}  // namespace sk
