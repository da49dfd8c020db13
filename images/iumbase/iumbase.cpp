#define IUMBASE_IMPLEMENTATION
#include "iumbase.h"

#include "abi/sk/status.h"
#include "iumdll/iumdll.h"
#include "rt/arch.h"

using abi::NtStatus;
using abi::sk::CryptoOperation;
using abi::sk::CryptoParameters;

// TEB.LastErrorValue
static constexpr uint64_t teb_last_error = 0x68;

static uint32_t hresult(NtStatus status) {
  return status == NtStatus::Success ? 0 : static_cast<uint32_t>(status) | ium::hresult_from_nt;
}

static int boolean(NtStatus status) {
  if (abi::succeeded(status)) return 1;
  arch::write_gs32(teb_last_error, static_cast<uint32_t>(status));
  return 0;
}

static CryptoParameters parameters(CryptoOperation operation, const ium::DataBuffer& data) {
  CryptoParameters p{};
  p.operation = static_cast<uint16_t>(operation);
  p.input = reinterpret_cast<uint64_t>(data.input);
  p.input_length = data.input_length;
  p.output = reinterpret_cast<uint64_t>(data.output);
  p.output_length = data.output_length;
  return p;
}

uint32_t EncryptData(const ium::DataBuffer* data, uint32_t key_selector, uint64_t* returned) {
  if (data == nullptr || returned == nullptr) return ium::hresult_invalid_parameter;
  CryptoParameters p = parameters(CryptoOperation::Encrypt, *data);
  p.key_selector = key_selector;
  p.tagged = reinterpret_cast<uint64_t>(data->tagged);
  p.tagged_length = data->tagged_length;
  const NtStatus status = IumCrypto(&p);
  *returned = p.bytes_returned;
  return hresult(status);
}

uint32_t DecryptData(const ium::DataBuffer* data, uint64_t* returned, uint32_t* blob_flags) {
  if (data == nullptr || returned == nullptr) return ium::hresult_invalid_parameter;
  CryptoParameters p = parameters(CryptoOperation::Decrypt, *data);
  const NtStatus status = IumCrypto(&p);
  *returned = p.bytes_returned;
  if (blob_flags != nullptr) *blob_flags = p.blob_flags;
  return hresult(status);
}

uint32_t DecryptISKBoundData(const ium::DataBuffer* data, uint64_t* returned) {
  if (data == nullptr || returned == nullptr) return ium::hresult_invalid_parameter;
  CryptoParameters p = parameters(CryptoOperation::DecryptIdkBound, *data);
  const NtStatus status = IumCrypto(&p);
  *returned = p.bytes_returned;
  return hresult(status);
}

int GetFipsModeFromIumKernelState(uint8_t* mode) {
  CryptoParameters p = parameters(CryptoOperation::FipsMode, {nullptr, 0, nullptr, 0, mode, 1});
  return boolean(IumCrypto(&p));
}

int GetSecureIdentityKey(void* buffer, uint32_t* size) { return boolean(IumGetIdk(0, buffer, size)); }

int GetSeedFromIumKernelState(void* buffer, uint64_t size, uint64_t* seeded) {
  CryptoParameters p = parameters(CryptoOperation::Seed, {nullptr, 0, nullptr, 0, buffer, size});
  const NtStatus status = IumCrypto(&p);
  if (seeded != nullptr) *seeded = p.bytes_seeded;
  return boolean(status);
}

int PostMailbox(uint32_t slot, const void* data, uint32_t length) { return boolean(IumPostMailbox(slot, data, length)); }
int SecureStorageGet(uint32_t id, void* data, uint32_t* length) { return boolean(IumStorageGet(id, data, length)); }
int SecureStoragePut(uint32_t id, const void* data, uint32_t length) {
  return boolean(IumStoragePut(id, data, length));
}
int SetTrustletInstance(const abi::sk::Guid* instance) { return boolean(IumSetTrustletInstance(instance)); }

extern "C" int DllMain(void*, uint32_t, void*) { return 1; }
