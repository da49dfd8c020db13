#pragma once
// NTSTATUS values that cross between NTOS, the secure kernel and trustlets.
#include <stdint.h>

namespace abi {

/// What guests receive; never used for failures of the host. Open: any value may arrive from an untrusted side.
enum class NtStatus : uint32_t {
  Success = 0x00000000,
  Alerted = 0x00000101,
  Timeout = 0x00000102,
  BufferOverflow = 0x80000005,
  NotImplemented = 0xC0000002,
  InfoLengthMismatch = 0xC0000004,
  AccessViolation = 0xC0000005,
  InvalidHandle = 0xC0000008,
  InvalidParameter = 0xC000000D,
  NoMemory = 0xC0000017,
  ConflictingAddresses = 0xC0000018,
  InvalidSystemService = 0xC000001C,
  IllegalInstruction = 0xC000001D,
  AccessDenied = 0xC0000022,
  BufferTooSmall = 0xC0000023,
  InvalidParameterMix = 0xC0000030,
  ObjectNameNotFound = 0xC0000034,
  DataError = 0xC000003E,
  InvalidPageProtection = 0xC0000045,
  ProcedureNotFound = 0xC000007A,
  InvalidImageFormat = 0xC000007B,
  InsufficientResources = 0xC000009A,
  DeviceNotConnected = 0xC000009D,
  DeviceNotReady = 0xC00000A3,
  NotSupported = 0xC00000BB,
  InternalError = 0xC00000E5,
  ProcessIsTerminating = 0xC000010A,
  DllNotFound = 0xC0000135,
  InvalidDeviceState = 0xC0000184,
  NotFound = 0xC0000225,
  AccessDisabledByPolicy = 0xC0000364,  ///< well signed, but an EKU or the level that is asked for is missing
  IssuingCaUntrusted = 0xC000038A,      ///< the chain does not end in a root that the policy accepts
  InvalidImageHash = 0xC0000428,        ///< the digest differs, or there is no signature
  InvalidSignature = 0xC000A000,        ///< the signature's own arithmetic fails
  AuthTagMismatch = 0xC000A002,         ///< nothing was decrypted
  MailboxSlotFull = 0xC0000708,
};

constexpr bool succeeded(NtStatus status) { return (static_cast<uint32_t>(status) & 0x80000000u) == 0; }

}  // namespace abi
