#pragma once
// SKCI.DLL: HVCI's judgement in VTL 1 (S34). Functionally CI.DLL, but smaller: it hashes, it reads a signature, it says
// which signing level that makes. What follows from the level is the secure kernel's business.
#include <stddef.h>
#include <stdint.h>

#include "abi/sk/status.h"

#ifdef SKCI_IMPLEMENTATION
#define SKCI_API extern "C"
#else
#define SKCI_API extern "C" __declspec(dllimport)
#endif

namespace sk {

struct SkciPolicy {
  bool test_signing;  ///< images of the test root count (S105)
};

/// Extended key usages of the signer (S104).
inline constexpr uint32_t eku_system_component = 1, eku_ium = 2, eku_code_signing = 4;
/// Signing levels (7.12).
inline constexpr uint32_t signing_level_unsigned = 1, signing_level_authenticode = 4, signing_level_windows = 12;
/// Roots of the policy (decisions 8).
inline constexpr uint32_t root_none = 0, root_production = 1, root_test = 2, root_foreign = 3;

struct SkciVerdict {
  /// Success; InvalidImageHash: no signature, or the digest differs; InvalidSignature: its arithmetic or structure is
  /// wrong; IssuingCaUntrusted: no accepted root; AccessDisabledByPolicy: no code signing usage.
  abi::NtStatus status;
  uint32_t signing_level;
  uint32_t ekus;
  uint32_t root;
  uint8_t digest[32];  ///< Authenticode SHA-256 of the file
};

}  // namespace sk

SKCI_API abi::NtStatus SkciInitialize(sk::SkciPolicy policy);
/// Authenticode digest of a PE file; InvalidImageFormat if its headers do not allow one.
SKCI_API abi::NtStatus SkciHashImage(const uint8_t* file, size_t size, uint8_t (&digest)[32]);
SKCI_API void SkciVerifyImage(const uint8_t* file, size_t size, sk::SkciVerdict& verdict);
/// Whether the file's signature carries a hash for this page (of the file, 4 KiB) and the page has it.
/// NotFound: no page hashes. To be believed only after SkciVerifyImage accepted the same bytes.
SKCI_API abi::NtStatus SkciVerifyPage(const uint8_t* file, size_t size, uint32_t file_offset);
