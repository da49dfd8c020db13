#pragma once
// IUMBASE.DLL: the base API of isolated user mode, twin of kernelbase (S92, S94). Ten exports.
// EncryptData, DecryptData and DecryptISKBoundData return the NTSTATUS with bit 28 set (an HRESULT); the others return
// BOOL and leave the NTSTATUS in the last error of the TEB (decisions 2).
#include <stddef.h>
#include <stdint.h>

#include "abi/sk/structures.h"

#ifdef IUMBASE_IMPLEMENTATION
#define IUMBASE_API extern "C"
#else
#define IUMBASE_API extern "C" __declspec(dllimport)
#endif

namespace ium {

/// One buffer of the base API. `returned` receives the bytes written, or those that would be needed.
struct DataBuffer {
  const void* input;
  uint64_t input_length;
  const void* tagged;      ///< authenticated but readable; EncryptData only
  uint64_t tagged_length;
  void* output;
  uint64_t output_length;
};
inline constexpr uint32_t hresult_from_nt = 0x10000000;
inline constexpr uint32_t hresult_invalid_parameter = 0xD000000D;

}  // namespace ium

IUMBASE_API uint32_t EncryptData(const ium::DataBuffer* data, uint32_t key_selector, uint64_t* returned);
IUMBASE_API uint32_t DecryptData(const ium::DataBuffer* data, uint64_t* returned, uint32_t* blob_flags);
IUMBASE_API uint32_t DecryptISKBoundData(const ium::DataBuffer* data, uint64_t* returned);
IUMBASE_API int GetFipsModeFromIumKernelState(uint8_t* mode);
IUMBASE_API int GetSecureIdentityKey(void* buffer, uint32_t* size);
IUMBASE_API int GetSeedFromIumKernelState(void* buffer, uint64_t size, uint64_t* seeded);
IUMBASE_API int PostMailbox(uint32_t slot, const void* data, uint32_t length);
IUMBASE_API int SecureStorageGet(uint32_t id, void* data, uint32_t* length);
IUMBASE_API int SecureStoragePut(uint32_t id, const void* data, uint32_t length);
IUMBASE_API int SetTrustletInstance(const abi::sk::Guid* instance);
