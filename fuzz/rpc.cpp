// Any bytes at the debugger's interface, down to a machine of a few instructions. The first byte chooses how they come:
//   even  one line: a JSON-RPC request, with all that it leads to
//   odd   bytes of an HTTP connection that knows the token
// Every answer is what the table says it is, whatever was asked.
#include <cstdlib>
#include <memory>

#include "sim/rpc/http_server.h"
#include "sim/rpc/json_rpc.h"
#include "sim/rpc/service.h"
#include "sim/rpc/types.h"
#include "tests/support/tiny_firmware.h"

namespace {

/// Counts to 200 with some writes to memory, and then waits for ever: the run has an end.
constexpr uint8_t code[] = {
    0xb9, 0xc8, 0x00, 0x00, 0x00,                    // mov ecx, 200
    0x48, 0xff, 0xc0,                                // again: inc rax
    0x48, 0x89, 0x04, 0x25, 0x00, 0x70, 0x00, 0x00,  // mov [7000h], rax
    0xff, 0xc9,                                      // dec ecx
    0x75, 0xf1,                                      // jnz again
    0xf4};                                           // hlt

std::unique_ptr<rpc::Service> make_service() {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  machine::MachineParts parts;
  parts.firmware = test::tiny_firmware(code);
  auto timeline = debugger::Timeline::over(config, std::move(parts), {.interval = 10'000});
  if (!timeline) std::abort();
  auto session = debugger::Session::over(std::move(timeline.value()), {});
  if (!session) std::abort();
  return std::make_unique<rpc::Service>(std::move(session.value()), rpc::RunFacts{"fuzz", "", {}, {}});
}

/// As strangers call it, and only with answers that the table permits.
class Checked final : public rpc::Api {
 public:
  explicit Checked(rpc::Api& api) : api_{api} {}
  rpc::Answer call(std::string_view method, const rpc::Json& parameters) override {
    rpc::Answer answer = api_.call(method, parameters);
    if (!answer) return answer;
    const rpc::Method* row = rpc::find_method(method);
    if (row == nullptr || rpc::mismatch(answer.value(), row->results)) std::abort();
    return answer;
  }
  void interrupt() override { api_.interrupt(); }
  size_t listen(Listener listener) override { return api_.listen(std::move(listener)); }
  void forget(size_t listener) override { api_.forget(listener); }

 private:
  rpc::Api& api_;
};

/// So that inputs do not depend on those before them.
void begin_again(rpc::Api& api) {
  (void)api.call("branch.end", {});
  const rpc::Answer list = api.call("breakpoint.list", {});
  if (list)
    for (const rpc::Json& breakpoint : list.value()["breakpoints"]) (void)api.call("breakpoint.remove", {{"id", breakpoint["id"]}});
  (void)api.call("focus", {{"at", 0}, {"vp", 0}, {"vtl", 0}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  static const std::unique_ptr<rpc::Service> service = make_service();
  static const rpc::HttpGate gate{80, "t"};
  Checked api{service->api().for_strangers()};
  const std::string_view text{reinterpret_cast<const char*>(data + 1), size - 1};
  if (data[0] % 2 == 0) (void)rpc::respond(api, text);
  else (void)rpc::answer_bytes(api, gate, {}, text);
  begin_again(api);
  return 0;
}
