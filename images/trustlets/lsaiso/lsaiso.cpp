// LSAISO.EXE, trustlet 1: keeps a credential where VTL 0 cannot read it (S111, S114). Of the secure calls it uses
// EncryptData and DecryptData and nothing else; the secret's random part is the nonce and key stream of a blob that it
// sealed itself.
#include <string.h>

#include "iumbase/iumbase.h"
#include "rt/print.h"
#include "rt/startup.h"
#include "trustlets/trustlets.h"

using abi::NtStatus;
using abi::sk::PolicyId;
using abi::sk::PolicyType;

// WI7-1: ETW yes, debug never, encrypted dumps yes.
TRUSTLET_POLICY(3) = {
    trustlet::metadata(abi::sk::TrustletId::LsaIso),
    {trustlet::entry(PolicyId::Etw, PolicyType::Bool, 1), trustlet::entry(PolicyId::Debug, PolicyType::UInt32, 0),
     trustlet::entry(PolicyId::CrashDump, PolicyType::Bool, 1)}};

// Where the demonstration's dump looks (S24).
static constexpr uint64_t secret_address = 0x2779CBB0000;
static constexpr uint64_t page_bytes = 4096;
static constexpr size_t blob_header = sizeof(abi::sk::CryptoBlob);

static void require(bool good, uint32_t step) {
  if (!good) trustlet::exit_process(static_cast<NtStatus>(0xE0000000 | step));
}

// A page at a fixed address; its frame came from NTOS, its contents never go there.
static char* allocate_secret_page() {
  uint64_t base = secret_address, size = page_bytes;
  require(abi::succeeded(NtAllocateVirtualMemory(ium::current_process, &base, 0, &size,
                                                 ium::mem_commit | ium::mem_reserve, ium::page_readwrite)) &&
              base == secret_address && size == page_bytes,
          1);
  return reinterpret_cast<char*>(base);
}

// Ciphertext of zeros under a key that nobody outside VTL 1 knows: as good as random.
static void fill_random(uint8_t* bytes, size_t size) {
  static uint8_t zeros[64], blob[blob_header + sizeof zeros];
  uint64_t returned = 0;
  const ium::DataBuffer data{zeros, size, nullptr, 0, blob, sizeof blob};
  require(size <= sizeof zeros && EncryptData(&data, static_cast<uint32_t>(abi::sk::KeySelector::BootKey), &returned) == 0,
          2);
  memcpy(bytes, blob + blob_header, size);
}

static void write_secret(char* page) {
  uint8_t hash[16], key[32];
  fill_random(hash, sizeof hash);
  fill_random(key, sizeof key);
  std::span<char> rest{page, page_bytes};
  rest = rest.subspan(rt::print(rest, "CREDENTIAL user=AIRLOCK\\administrator ntlm=").size());
  for (const uint8_t byte : hash) rest = rest.subspan(rt::print(rest, "{:02x}", byte).size());
  rest = rest.subspan(rt::print(rest, " kerberos=").size());
  for (const uint8_t byte : key) rest = rest.subspan(rt::print(rest, "{:02x}", byte).size());
}

// Seals the page, opens it again and compares; then shows that a changed blob stays closed.
static void encrypt_and_decrypt(const char* page) {
  static uint8_t blob[blob_header + 512], opened[512];
  static constexpr char label[] = "lsaiso credential";
  uint64_t sealed_size = 0, opened_size = 0;
  const ium::DataBuffer seal{page, sizeof opened, label, sizeof label - 1, blob, sizeof blob};
  require(EncryptData(&seal, static_cast<uint32_t>(abi::sk::KeySelector::LocalKey), &sealed_size) ==
              (ium::hresult_from_nt | static_cast<uint32_t>(NtStatus::BufferTooSmall)),
          3);  // the label needs room too
  require(sealed_size == sizeof blob + sizeof label - 1, 4);
  const ium::DataBuffer unlabelled{page, sizeof opened, nullptr, 0, blob, sizeof blob};
  require(EncryptData(&unlabelled, static_cast<uint32_t>(abi::sk::KeySelector::LocalKey), &sealed_size) == 0, 5);
  require(memcmp(blob + blob_header, page, 64) != 0, 6);

  const ium::DataBuffer open{blob, sealed_size, nullptr, 0, opened, sizeof opened};
  require(DecryptData(&open, &opened_size, nullptr) == 0 && opened_size == sizeof opened, 7);
  require(memcmp(opened, page, sizeof opened) == 0, 8);
  blob[blob_header + 100] ^= 1;
  require(DecryptData(&open, &opened_size, nullptr) ==
              (ium::hresult_from_nt | static_cast<uint32_t>(NtStatus::AuthTagMismatch)),
          9);
}

extern "C" void TrustletMain() {
  rt::run_static_initializers();
  char* page = allocate_secret_page();
  write_secret(page);
  encrypt_and_decrypt(page);
  trustlet::wait_for_alert();
  // Whatever VTL 0 tried meanwhile, the page still begins as it was written.
  require(memcmp(page, "CREDENTIAL", 10) == 0, 10);
  trustlet::exit_process(NtStatus::Success);
}
