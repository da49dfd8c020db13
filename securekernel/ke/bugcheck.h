#pragma once

namespace sk {

/// The secure kernel cannot go on (SECURE_KERNEL_ERROR, 0x18B): says why and resets the machine. With
/// ZeroMemoryOnReset no secret survives it.
[[noreturn]] void SkeBugCheck(const char* reason);

}  // namespace sk
