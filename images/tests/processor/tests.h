#pragma once
#include "tests/kernel/kernel.h"

// One list per file; main.cpp runs them all.
std::span<const kernel::Test> exception_tests();
std::span<const kernel::Test> privilege_tests();
std::span<const kernel::Test> paging_tests();
std::span<const kernel::Test> time_tests();

/// Position-independent code for CPL 3 (user_code.S).
struct UserCode {
  const void* start;
  std::size_t size;
};
#define USER_CODE(name)                                      \
  extern "C" const char user_##name[], user_##name##_end[]; \
  inline UserCode name##_code() {                            \
    return {user_##name, static_cast<std::size_t>(user_##name##_end - user_##name)}; \
  }
USER_CODE(system_call)
USER_CODE(clear_interrupts)
USER_CODE(halt)
USER_CODE(read_port)
USER_CODE(read_rdi)
USER_CODE(write_rdi)
USER_CODE(jump_rdi)
USER_CODE(software_interrupt)
USER_CODE(vmcall)
USER_CODE(read_cr3)
USER_CODE(read_msr)
USER_CODE(time_stamp)
#undef USER_CODE
