#pragma once
// The bodies of system services. All take twelve arguments as the service table passes them; names
// say which are used.
#include <stdint.h>

#define NT_SERVICE(name, number)                                                                   \
  uint64_t name(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,    \
                uint64_t, uint64_t, uint64_t, uint64_t);
#define NT_ABSENT(name, number)
#include "ke/system_services.def"
