#include "sim/trace/call_decoder.h"

#include <cstring>

#include "abi/hv/hypercalls.h"
#include "abi/hv/msrs.h"
#include "abi/hv/vp_registers.h"
#include "abi/sk/status.h"
#include "abi/sk/tables.h"
#include "tests/support/catch.h"

using namespace trace;
namespace hv = abi::hv;
namespace sk = abi::sk;

namespace {

template <class... Parts>
std::vector<uint8_t> block(const Parts&... parts) {
  std::vector<uint8_t> bytes;
  const auto add = [&](const auto& part) {
    const auto* at = reinterpret_cast<const uint8_t*>(&part);
    bytes.insert(bytes.end(), at, at + sizeof part);
  };
  (add(parts), ...);
  return bytes;
}

std::array<uint64_t, 13> frame(const sk::SkCall& call) {
  std::array<uint64_t, 13> words;
  std::memcpy(words.data(), &call, sizeof call);
  return words;
}

}  // namespace

TEST_CASE("A hypercall is decoded with the field names of its row") {
  const auto control = hv::control_for(hv::CallCode::ModifyVtlProtectionMask, 3).raw;
  const auto input =
      block(hv::ModifyVtlProtectionMask{hv::partition_self, 0x5, hv::InputVtl{0x11}, {}},
            hv::GpaPage{0x100}, hv::GpaPage{0x101}, hv::GpaPage{0x102});
  const DecodedHypercall call = decode_hypercall(control, uint64_t{3} << 32, input);
  EXPECT(call.name == "ModifyVtlProtectionMask");
  EXPECT(call.status == "Success");
  EXPECT((call.reps_asked == 3 && call.reps_done == 3));
  EXPECT(to_text(call.arguments) ==
         "target_partition=self, map_flags=R|KX, target_vtl=1, pages=0x100..0x102");
}

TEST_CASE("The last piece of a long call says where it begins") {
  const auto control =
      hv::control_for(hv::CallCode::ModifyVtlProtectionMask, 510).with_rep_start(508).raw;
  const auto input = block(hv::ModifyVtlProtectionMask{hv::partition_self, 0, {}, {}},
                           hv::GpaPage{7}, hv::GpaPage{8});
  const DecodedHypercall call = decode_hypercall(control, uint64_t{510} << 32, input);
  EXPECT(call.arguments.back().name == "pages[508..]");
  EXPECT(call.arguments.back().value == "0x7..0x8");
}

TEST_CASE("Scattered pages and register names are listed one by one, up to a few") {
  const auto pages = block(hv::ModifyVtlProtectionMask{}, hv::GpaPage{1}, hv::GpaPage{5},
                           hv::GpaPage{6}, hv::GpaPage{7}, hv::GpaPage{8}, hv::GpaPage{9});
  EXPECT(to_text(decode_hypercall(hv::control_for(hv::CallCode::ModifyVtlProtectionMask, 6).raw, 0,
                                  pages)
                     .arguments) ==
         "target_partition=0x0, map_flags=no access, target_vtl=0, [0].page=0x1, [1].page=0x5, "
         "[2].page=0x6, "
         "[3].page=0x7, ...=2 more");
  const auto names =
      block(hv::GetVpRegisters{hv::partition_self, hv::vp_self, {}, {}},
            hv::RegisterNameElement{static_cast<uint32_t>(hv::RegisterName::VsmVina)},
            hv::RegisterNameElement{0x12345});
  EXPECT(to_text(decode_hypercall(hv::control_for(hv::CallCode::GetVpRegisters, 2).raw, 5, names)
                     .arguments) ==
         "target_partition=self, target_vp=self, target_vtl=0, [0].name=VsmVina, [1].name=0x12345");
}

TEST_CASE("Hypercalls without a row, without input or with too little of it are still shown") {
  const DecodedHypercall unknown = decode_hypercall(0x7fff, 2, {});
  EXPECT(unknown.name == "hypercall 0x7fff");
  EXPECT(unknown.status == "InvalidHypercallCode");
  EXPECT(decode_hypercall(0x7fff, 0xfffe, {}).status == "status 0xfffe");
  EXPECT(decode_hypercall(hv::control_for(hv::CallCode::EnableVpVtl).raw, 0, {}).arguments.empty());
  const std::vector<uint8_t> part(9, 0xff);
  EXPECT(to_text(
             decode_hypercall(hv::control_for(hv::CallCode::EnableVpVtl).raw, 0, part).arguments) ==
         "target_partition=self");
}

TEST_CASE("Every row of the hypercall table decodes any input without reading past it") {
  for (const hv::CallInfo& row : hv::calls) {
    for (size_t size = 0; size < 600; size += size < 32 ? 1 : 37) {
      const std::vector<uint8_t> input(size, 0xa5);  // an exact allocation, for the sanitizer
      const DecodedHypercall call =
          decode_hypercall(static_cast<uint16_t>(row.code) | 0xfff00000000, 0, input);
      EXPECT(call.name == row.name);
    }
  }
}

TEST_CASE("EnableVpVtl shows the context that it installs") {
  hv::EnableVpVtl input{};
  input.target_vtl = 1;
  input.context.rip = 0xfffff80100001000;
  const auto call =
      decode_hypercall(hv::control_for(hv::CallCode::EnableVpVtl).raw, 0, block(input));
  const std::string text = to_text(call.arguments);
  CHECK_THAT(text, Catch::Matchers::ContainsSubstring(
                       "target_vtl=1, context=(224 bytes), context.rip=0xfffff80100001000"));
}

TEST_CASE("A sparse set of processors shows its header and its banks, and the list behind them") {
  const auto control = hv::control_for(hv::CallCode::FlushVirtualAddressListEx, 1).with_variable_header_qwords(2);
  const hv::FlushVirtualAddressSpaceEx input{0x1000, 0, {hv::vp_set_sparse_4k, 5}};
  const auto call = decode_hypercall(control.raw, 0, block(input, uint64_t{6}, uint64_t{1}, hv::GvaRange{0x7000}));
  EXPECT(to_text(call.arguments) ==
         "address_space=0x1000, flags=0x0, processors=(16 bytes), processors.format=0x0, "
         "processors.valid_banks=0x5, variable_header[0]=0x6, variable_header[1]=0x1, [0].raw=0x7000");
}

TEST_CASE("A secure service call shows its name and inputs, its answer the outputs") {
  sk::SkCall call{};
  call.operation = 1;
  call.code = static_cast<uint16_t>(sk::SecureService::CreateProcess);
  call.parameter[0] = 0xffff800000123000;
  call.parameter[2] = 0x44;
  const DecodedSecureCall decoded = decode_secure_call(frame(call));
  EXPECT(decoded.kind == DecodedSecureCall::Kind::Service);
  EXPECT(decoded.name == "CreateProcess");
  EXPECT(to_text(decoded.arguments) == "eprocess=0xffff800000123000, pid=0x44");

  sk::SkCall answer{};
  answer.state = 1;
  answer.parameter[1] = 0x140000004;
  const DecodedNormalCall finished = decode_normal_call(frame(answer));
  EXPECT(finished.kind == DecodedNormalCall::Kind::Finished);
  EXPECT(to_text(decode_secure_outputs(call.code, frame(answer))) == "secure_pid=0x140000004");
  answer.parameter[0] = 0xc0000022;
  EXPECT(decode_secure_outputs(call.code, frame(answer)).empty());
  EXPECT(ntstatus_text(decode_normal_call(frame(answer)).status) == "AccessDenied (0xc0000022)");
}

TEST_CASE("Normal services, system calls and VINA are told apart") {
  sk::SkCall call{};
  call.code = static_cast<uint16_t>(sk::NormalService::DbgPrint);
  std::memcpy(reinterpret_cast<char*>(&call) + 10, "hello\n", 6);
  const DecodedNormalCall print = decode_normal_call(frame(call));
  EXPECT(print.name == "DbgPrint");
  EXPECT(to_text(print.arguments) == "text=\"hello\"");

  call = {};
  call.state = 0x82;  // user system call, and break into the debugger
  call.code = 0x18;
  call.cookie = 9;
  call.parameter[0] = ~uint64_t{0};
  const DecodedNormalCall system_call = decode_normal_call(frame(call));
  EXPECT(system_call.kind == DecodedNormalCall::Kind::SystemCall);
  EXPECT(system_call.user);
  EXPECT(system_call.break_into_debugger);
  EXPECT(system_call.cookie == 9);
  EXPECT(system_call.name == "NtAllocateVirtualMemory");
  EXPECT(system_call.arguments.size() == 6);

  call.state = 4;
  EXPECT(decode_normal_call(frame(call)).kind == DecodedNormalCall::Kind::Vina);
  call.state = 77;
  EXPECT(decode_normal_call(frame(call)).name == "state 77");
  call.operation = 99;
  EXPECT(decode_secure_call(frame(call)).name == "operation 99");
}

TEST_CASE("Every service of the tables decodes a frame of all ones") {
  std::array<uint64_t, 13> ones;
  ones.fill(~uint64_t{0});
  for (const sk::ServiceRow& row : sk::secure_services) {
    ones[0] = 1 | uint64_t{row.number} << 16;
    EXPECT(decode_secure_call(ones).name == row.name);
    ones[1] = 0;
    static_cast<void>(decode_secure_outputs(row.number, ones));
    ones[1] = ~uint64_t{0};
  }
  for (const sk::ServiceRow& row : sk::normal_services) {
    ones[0] = uint64_t{row.number} << 16;
    EXPECT(decode_normal_call(ones).name == row.name);
  }
}

TEST_CASE("Status and MSR numbers have names where the tables know them") {
  EXPECT(ntstatus_text(0) == "Success");
  EXPECT(ntstatus_text(0xc0000002) == "NotImplemented (0xc0000002)");
  EXPECT(ntstatus_text(0x12345678) == "0x12345678");
  EXPECT(msr_text(0xc0000082) == "Lstar (0xc0000082)");
  EXPECT(msr_text(hv::msr::Simp) == "Simp (0x40000083)");
  EXPECT(msr_text(0x999) == "0x999");
}
