#pragma once
// Structures of the secure kernel that others may see: offsets published in the seeds, parameter blocks, blob headers.
#include <stddef.h>
#include <stdint.h>

#include "abi/layout/fields.h"

namespace abi::sk {

struct Guid {
  uint8_t bytes[16];
  friend constexpr bool operator==(const Guid&, const Guid&) = default;
};

// ---- Objects of the secure kernel: only the published offsets are contract (S63..S65); the rest is ours. ----

inline constexpr size_t skpcr_current_thread = 0x08;
inline constexpr size_t skpcr_hypervisor_data = 0x10;
inline constexpr size_t skpcr_current_process = 0x48;
inline constexpr size_t skthread_previous_mode = 0x30;
inline constexpr size_t skthread_teb = 0x68;
inline constexpr size_t skprocess_trustlet_id = 0x08;
inline constexpr size_t skprocess_instance_guid = 0x10;
inline constexpr size_t skprocess_process_id = 0x48;
inline constexpr size_t skprocess_normal_thread = 0x58;
inline constexpr size_t skprocess_peb = 0xA0;
inline constexpr size_t skprocess_handle_table = 0xA8;
inline constexpr size_t skprocess_policy = 0xC0;
inline constexpr size_t skprocess_mailboxes = 0xD0;
inline constexpr uint32_t skprocess_flag_etw_allowed = 0x20;

/// Secure handles start here and step by 4 (section 7.6).
inline constexpr uint64_t first_secure_handle = 0x140000004;
inline constexpr uint32_t secure_thread_pool_size = 8;  ///< service 208, +10 (decisions 7)

// ---- Data transfer (section 7.6) ----

inline constexpr size_t transfer_mdl_max_pages = 506;

/// An MDL as NTOS locks it: the 48-byte header and the page frame numbers, in one page.
struct TransferMdl {
  uint64_t next;          ///< 0
  uint16_t size;          ///< 48 + 8 * pages
  uint16_t flags;
  uint32_t reserved;
  uint64_t process;
  uint64_t mapped_address;
  uint64_t start_address;
  uint32_t byte_count;    ///< 1 .. 506 * 4096
  uint32_t byte_offset;   ///< in the first page; 0 for page services
  uint64_t pfn[transfer_mdl_max_pages];
};

/// PAGE_IDENTITY of a kernel shared page: image handle and RVA (section 7.13).
struct PageIdentity {
  uint64_t context;
  uint64_t address;
};

/// One record of the failure log page (S83).
struct LogRecord {
  uint32_t status;
  uint32_t service;
  uint64_t detail;
  char name[48];
};
struct LogPage {
  uint32_t count;  ///< records ever written; the newest is at (count - 1) % capacity
  uint32_t capacity;
  uint64_t reserved[7];
  LogRecord records[63];
};

// ---- IumCrypto (S93; decisions 2.1) ----

enum class CryptoOperation : uint16_t { Encrypt = 0, Decrypt = 1, DecryptIdkBound = 2, Seed = 3, FipsMode = 4 };
enum class KeySelector : uint32_t { LocalKey = 0, BootKey = 1 };

/// IUM_CRYPTO_PARAMETERS
struct CryptoParameters {
  uint16_t operation;      ///< CryptoOperation
  uint16_t reserved_02;
  uint32_t key_selector;   ///< KeySelector
  uint64_t reserved_08[2];
  uint64_t input_length;
  uint64_t output_length;
  uint64_t reserved_28;
  uint64_t tagged_length;
  uint64_t input;
  uint64_t output;
  uint64_t reserved_48;
  uint64_t tagged;
  uint64_t bytes_returned;  ///< out; the needed size when the status is 0xC0000023
  uint64_t reserved_60;     ///< out 0
  uint32_t blob_flags;      ///< out
  uint32_t reserved_6c;
  uint64_t bytes_seeded;    ///< out
};
inline constexpr uint32_t blob_flag_older_key = 1;
inline constexpr uint32_t blob_flag_debugged = 2;
inline constexpr uint64_t maximum_crypto_input = 64 * 1024;
inline constexpr uint64_t maximum_crypto_seed = 4096;

/// What EncryptData returns: header, tagged bytes, ciphertext.
struct CryptoBlob {
  uint16_t version;  ///< 1
  uint16_t key_selector;
  uint32_t key_index;  ///< in LKEY_ARRAY
  uint32_t tagged_size;
  uint32_t tagged_offset;  ///< 0x40
  uint64_t trustlet_id;
  uint8_t nonce[12];
  uint32_t data_size;
  uint8_t tag[16];
  uint64_t boot_count;
};

// ---- Mailbox and storage pages (S69..S76) ----

inline constexpr size_t mailbox_slots = 8;
struct Mailbox {
  uint32_t size;  ///< 0 = empty
  uint8_t data[4092];
};
inline constexpr size_t storage_ids = 2;
struct StorageBlob {
  uint32_t id;
  uint32_t size;
  uint8_t data[4088];
};

// ---- SkCapabilities (S72, S73; decisions 3) ----

enum class CapabilityRule : uint32_t { AllowAll = 0, CheckByTrustletId = 1, CheckByTrustletInstanceGuid = 2 };
struct Capability {
  uint32_t service;  ///< full number, bit 31 set
  uint32_t rule;     ///< CapabilityRule
  uint64_t trustlet_id;
  Guid instance;
};

// ---- Keys handed over by winload (decisions 4) ----

struct LocalKey {
  uint8_t key[32];
  uint64_t first_boot;
  uint32_t flags;
  uint32_t reserved;
};
struct LocalKeyArray {
  uint32_t count;  ///< 1..4
  uint32_t current;
  LocalKey keys[4];
};

}  // namespace abi::sk

ABI_FIELDS(abi::sk::TransferMdl, 4096, (next, Reserved), (size, Count), (flags, Flags), (reserved, Reserved),
           (process, Reserved), (mapped_address, Reserved), (start_address, Reserved), (byte_count, Count),
           (byte_offset, Plain), (pfn, Bytes));
ABI_FIELDS(abi::sk::PageIdentity, 16, (context, Plain), (address, Gva));
ABI_FIELDS(abi::sk::LogRecord, 64, (status, Plain), (service, Plain), (detail, Plain), (name, Bytes));
ABI_FIELDS(abi::sk::LogPage, 4096, (count, Count), (capacity, Count), (reserved, Reserved), (records, Bytes));
ABI_FIELDS(abi::sk::CryptoParameters, 0x78, (operation, Plain), (reserved_02, Reserved), (key_selector, Plain),
           (reserved_08, Reserved), (input_length, Count), (output_length, Count), (reserved_28, Reserved),
           (tagged_length, Count), (input, Gva), (output, Gva), (reserved_48, Reserved), (tagged, Gva),
           (bytes_returned, Count), (reserved_60, Reserved), (blob_flags, Flags), (reserved_6c, Reserved),
           (bytes_seeded, Count));
ABI_FIELDS(abi::sk::CryptoBlob, 0x40, (version, Plain), (key_selector, Plain), (key_index, Plain),
           (tagged_size, Count), (tagged_offset, Plain), (trustlet_id, Plain), (nonce, Bytes), (data_size, Count),
           (tag, Bytes), (boot_count, Plain));
ABI_FIELDS(abi::sk::Mailbox, 4096, (size, Count), (data, Bytes));
ABI_FIELDS(abi::sk::StorageBlob, 4096, (id, Plain), (size, Count), (data, Bytes));
ABI_FIELDS(abi::sk::Capability, 0x20, (service, Plain), (rule, Plain), (trustlet_id, Plain), (instance, Bytes));
ABI_FIELDS(abi::sk::LocalKey, 0x30, (key, Bytes), (first_boot, Plain), (flags, Flags), (reserved, Reserved));
ABI_FIELDS(abi::sk::LocalKeyArray, 0xC8, (count, Count), (current, Plain), (keys, Bytes));
