#pragma once
// Secure services: what NTOS may ask of VTL 1 (7.5). One handler per row of secure_services.def that is implemented.
#include "abi/sk/call_frame.h"
#include "abi/sk/tables.h"
#include "ke/base.h"

namespace sk {

/// A captured request and its answer. `offset` is the one the table writes (+8, +0x10, ...).
class ServiceCall {
 public:
  explicit ServiceCall(const abi::sk::SkCall& request) : in_{request} {}
  uint64_t argument(size_t offset) const { return in_.parameter[(offset - 8) / 8]; }
  const uint8_t* bytes(size_t offset) const { return reinterpret_cast<const uint8_t*>(&in_) + offset; }
  void answer(size_t offset, uint64_t value) { out_.parameter[(offset - 8) / 8] = value; }
  uint8_t* answer_bytes(size_t offset) { return reinterpret_cast<uint8_t*>(&out_) + offset; }
  /// The frame that goes back: only what was answered, everything else zero.
  abi::sk::SkCall finish(NtStatus status);

 private:
  abi::sk::SkCall in_;
  abi::sk::SkCall out_{};
};

using ServiceHandler = NtStatus (*)(ServiceCall&);

#define SK_HANDLER_Yes(name) NtStatus Service##name(ServiceCall& call);
#define SK_HANDLER_No(name)
#define SK_SERVICE(name, number, implemented, inputs, outputs) SK_HANDLER_##implemented(name)
#include "abi/sk/secure_services.def"
#undef SK_HANDLER_Yes
#undef SK_HANDLER_No

/// Runs the service that `frame` names on the current secure thread and turns `frame` into the answer (state 1).
/// InvalidSystemService: no such row. NotImplemented: a row without handler.
void IumInvokeSecureService(abi::sk::SkCall& frame);

}  // namespace sk
