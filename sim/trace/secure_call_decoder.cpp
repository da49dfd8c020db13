#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "abi/sk/status.h"
#include "abi/sk/tables.h"
#include "sim/trace/call_decoder.h"

namespace trace {
namespace {

namespace sk = abi::sk;

sk::SkCall load(CallFrame frame) {
  sk::SkCall call;
  std::memcpy(&call, frame.data(), sizeof call);
  return call;
}

std::string bytes_text(const uint8_t* bytes, size_t size) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(size, 8); ++i)
    text += fmt::format("{:02x}", bytes[i]);
  return size > 8 ? fmt::format("{}... ({} bytes)", text, size) : text;
}

/// "name@offset:bytes ..." applied to the frame.
Arguments read_arguments(const char* row, CallFrame frame) {
  Arguments out;
  uint8_t bytes[sizeof(sk::SkCall)];
  std::memcpy(bytes, frame.data(), sizeof bytes);
  sk::ArgumentField field{};
  while (sk::next_argument(row, field)) {
    const uint8_t* at = bytes + field.offset;
    uint64_t value = 0;
    if (field.size <= 8) std::memcpy(&value, at, field.size);
    out.push_back({std::string{field.name, field.name_length},
                   field.size <= 8 ? fmt::format("{:#x}", value) : bytes_text(at, field.size)});
  }
  return out;
}

Arguments read_outputs(const sk::ServiceRow* row, CallFrame frame) {
  const auto status = static_cast<abi::NtStatus>(static_cast<uint32_t>(frame[1]));
  if (row == nullptr || !abi::succeeded(status)) return {};
  return read_arguments(row->outputs, frame);
}

void read_system_call(DecodedNormalCall& out, const sk::SkCall& call) {
  out.kind = DecodedNormalCall::Kind::SystemCall;
  const auto* row = sk::find_row(sk::nt_calls, call.code);
  out.name = row != nullptr ? row->name : fmt::format("system call {:#x}", call.code);
  for (size_t i = 0; row != nullptr && i < row->arguments && i < sk::parameter_count; ++i)
    out.arguments.push_back({fmt::format("{}", i + 1), fmt::format("{:#x}", call.parameter[i])});
}

/// DbgPrint carries its text in the frame: 94 bytes from +10 (section 7.4).
void add_debug_text(Arguments& arguments, CallFrame frame) {
  char text[95] = {};
  std::memcpy(text, reinterpret_cast<const char*>(frame.data()) + 10, 94);
  std::string shown;
  for (const char* at = text; *at != 0; ++at)
    shown += *at >= 0x20 && *at < 0x7f ? *at : ' ';
  while (!shown.empty() && shown.back() == ' ')
    shown.pop_back();
  arguments.assign(1, {"text", fmt::format("\"{}\"", shown)});
}

}  // namespace

DecodedSecureCall decode_secure_call(CallFrame frame) {
  const sk::SkCall call = load(frame);
  DecodedSecureCall out;
  out.code = call.code;
  out.cookie = call.cookie;
  switch (static_cast<sk::Operation>(call.operation)) {
    case sk::Operation::ResumeThread:
      out.kind = DecodedSecureCall::Kind::Resume;
      out.name = "ResumeThread";
      out.arguments.push_back({"cookie", fmt::format("{:#x}", call.cookie)});
      return out;
    case sk::Operation::SecureService: {
      out.kind = DecodedSecureCall::Kind::Service;
      const auto* row = sk::find_row(sk::secure_services, call.code);
      out.name = row != nullptr ? row->name : fmt::format("secure service {}", call.code);
      if (row != nullptr) out.arguments = read_arguments(row->inputs, frame);
      return out;
    }
    case sk::Operation::FlushTb:
      out.kind = DecodedSecureCall::Kind::FlushTb;
      out.name = "FlushTb";
      return out;
  }
  out.name = fmt::format("operation {}", call.operation);
  return out;
}

DecodedNormalCall decode_normal_call(CallFrame frame) {
  const sk::SkCall call = load(frame);
  DecodedNormalCall out;
  out.code = call.code;
  out.cookie = call.cookie;
  out.break_into_debugger = (call.state & sk::state_break_into_debugger) != 0;
  const auto state = static_cast<sk::State>(call.state & ~sk::state_break_into_debugger);
  switch (state) {
    case sk::State::NormalService: {
      out.kind = DecodedNormalCall::Kind::NormalService;
      const auto* row = sk::find_row(sk::normal_services, call.code);
      out.name = row != nullptr ? row->name : fmt::format("normal service {}", call.code);
      if (row != nullptr) out.arguments = read_arguments(row->inputs, frame);
      if (call.code == static_cast<uint16_t>(sk::NormalService::DbgPrint))
        add_debug_text(out.arguments, frame);
      return out;
    }
    case sk::State::Finished:
      out.kind = DecodedNormalCall::Kind::Finished;
      out.name = "finished";
      out.status = static_cast<uint32_t>(call.parameter[0]);
      return out;
    case sk::State::UserSystemCall:
    case sk::State::KernelSystemCall:
      out.user = state == sk::State::UserSystemCall;
      read_system_call(out, call);
      return out;
    case sk::State::Vina:
      out.kind = DecodedNormalCall::Kind::Vina;
      out.name = "VINA";
      return out;
  }
  out.name = fmt::format("state {}", call.state);
  return out;
}

Arguments decode_secure_outputs(uint16_t code, CallFrame frame) {
  return read_outputs(sk::find_row(sk::secure_services, code), frame);
}

Arguments decode_normal_outputs(uint16_t code, CallFrame frame) {
  return read_outputs(sk::find_row(sk::normal_services, code), frame);
}

std::string ntstatus_text(uint32_t status) {
  struct Row {
    abi::NtStatus status;
    std::string_view name;
  };
#define ROW(name) {abi::NtStatus::name, #name}
  static constexpr Row rows[] = {ROW(Alerted),
                                 ROW(Timeout),
                                 ROW(BufferOverflow),
                                 ROW(NotImplemented),
                                 ROW(InfoLengthMismatch),
                                 ROW(AccessViolation),
                                 ROW(InvalidHandle),
                                 ROW(InvalidParameter),
                                 ROW(NoMemory),
                                 ROW(ConflictingAddresses),
                                 ROW(InvalidSystemService),
                                 ROW(IllegalInstruction),
                                 ROW(AccessDenied),
                                 ROW(BufferTooSmall),
                                 ROW(InvalidParameterMix),
                                 ROW(ObjectNameNotFound),
                                 ROW(DataError),
                                 ROW(InvalidPageProtection),
                                 ROW(ProcedureNotFound),
                                 ROW(InvalidImageFormat),
                                 ROW(InsufficientResources),
                                 ROW(DeviceNotConnected),
                                 ROW(DeviceNotReady),
                                 ROW(NotSupported),
                                 ROW(InternalError),
                                 ROW(ProcessIsTerminating),
                                 ROW(DllNotFound),
                                 ROW(InvalidDeviceState),
                                 ROW(NotFound),
                                 ROW(AccessDisabledByPolicy),
                                 ROW(IssuingCaUntrusted),
                                 ROW(InvalidImageHash),
                                 ROW(InvalidSignature),
                                 ROW(AuthTagMismatch),
                                 ROW(MailboxSlotFull)};
#undef ROW
  if (status == 0) return "Success";
  for (const Row& row : rows)
    if (static_cast<uint32_t>(row.status) == status)
      return fmt::format("{} ({:#010x})", row.name, status);
  return fmt::format("{:#010x}", status);
}

}  // namespace trace
