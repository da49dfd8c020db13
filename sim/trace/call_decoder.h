#pragma once
// Hypercalls, secure calls and normal calls by their names, from the tables of vtl/abi.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/byte_view.h"

namespace trace {

struct Argument {
  std::string name;
  std::string value;  ///< formatted by what the field means
};
using Arguments = std::vector<Argument>;

/// "name=value, name=value".
[[nodiscard]] std::string to_text(const Arguments& arguments);

struct DecodedHypercall {
  std::string name;     ///< "ModifyVtlProtectionMask", or "hypercall 0x1234"
  Arguments arguments;  ///< header fields, then up to a few list elements
  std::string status;   ///< "Success", or "status 0x1234"
  uint16_t reps_asked{}, reps_done{};
};
/// `input` holds the parameter block as captured (header and list), and may be empty or shorter
/// than the row says.
[[nodiscard]] DecodedHypercall decode_hypercall(uint64_t control, uint64_t result,
                                                loader::Bytes input);

/// The 0x68 bytes of SKCALL as 13 words.
using CallFrame = std::span<const uint64_t, 13>;

/// NTOS to secure kernel.
struct DecodedSecureCall {
  enum class Kind : uint8_t { Resume, Service, FlushTb, Unknown } kind{Kind::Unknown};
  uint16_t code{};
  uint32_t cookie{};
  std::string name;  ///< of the service, or of the operation
  Arguments arguments;
};
[[nodiscard]] DecodedSecureCall decode_secure_call(CallFrame frame);

/// Secure kernel to NTOS.
struct DecodedNormalCall {
  enum class Kind : uint8_t {
    NormalService,
    Finished,
    SystemCall,
    Vina,
    Unknown
  } kind{Kind::Unknown};
  uint16_t code{};
  uint32_t cookie{};
  bool user{};  ///< SystemCall: made by a trustlet, not by the secure kernel
  bool break_into_debugger{};
  std::string name;
  Arguments arguments;
  uint32_t status{};  ///< Finished
};
[[nodiscard]] DecodedNormalCall decode_normal_call(CallFrame frame);

/// What a service gives back when it has finished: outputs of row `code`; empty where the status is
/// a failure.
[[nodiscard]] Arguments decode_secure_outputs(uint16_t code, CallFrame frame);
/// The same for a normal service's answer, which comes with the next VTL call.
[[nodiscard]] Arguments decode_normal_outputs(uint16_t code, CallFrame frame);

/// "STATUS 0xC0000002 NotImplemented"-like: "NotImplemented (0xc0000002)", "0xc0001234", "Success".
[[nodiscard]] std::string ntstatus_text(uint32_t status);
/// "Simp (0x40000083)" or "0xc0000082".
[[nodiscard]] std::string msr_text(uint64_t number);

}  // namespace trace
