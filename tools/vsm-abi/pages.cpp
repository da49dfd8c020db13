#include "pages.h"

namespace vsm_abi {
namespace {

/// Pages that are nothing but their headers, each with its own summary.
template <const char* const* First, size_t Count>
void describe_all(const Contract& contract, Page& page) {
  for (size_t i = 0; i < Count; ++i) {
    const std::string path = First[i];
    if (Count > 1) page.heading(2, path);
    page.paragraph(escape(contract.header(path).summary));
    page.paragraph("Source: [vtl/abi/" + path + "](../../vtl/abi/" + path + ").");
    contract.describe(page, path, Count > 1 ? 3 : 2);
  }
}

constexpr const char* message_headers[] = {"hv/messages.h", "hv/synic.h", "hv/assist_page.h"};
constexpr const char* cpuid_headers[] = {"hv/cpuid.h"};
constexpr const char* secure_structure_headers[] = {"sk/structures.h", "sk/trustlet_metadata.h"};
constexpr const char* boot_headers[] = {"boot/firmware_handoff.h", "boot/launch_block.h", "boot/loader_lists.h",
                                        "boot/nt_loader_block.h", "boot/vsm_loader_block.h", "boot/virtual_layout.h"};
constexpr const char* debug_headers[] = {"boot/debug_port.h"};
constexpr const char* paging_headers[] = {"x64/paging.h", "x64/registers.h", "x64/exceptions.h"};
constexpr const char* ntstatus_headers[] = {"sk/status.h"};

}  // namespace

const std::vector<PagePlan>& plans() {
  static const std::vector<PagePlan> list{
      {"hypercalls.md", "Hypercalls", "What a guest asks the hypervisor: call codes, parameter blocks, who may call.",
       {"hv/hypercall_control.h", "hv/hypercalls.h", "hv/structs.h", "hv/port_structs.h"}, fill_hypercalls},
      {"hypercall-statuses.md", "Hypercall statuses", "HV_STATUS: what RAX answers in bits 15:0.", {"hv/status.h"}, fill_statuses},
      {"vp-registers.md", "Virtual processor registers", "HV_REGISTER_NAME: what GetVpRegisters and SetVpRegisters name, and the bits of the VSM registers.",
       {"hv/vp_registers.h", "hv/vsm_registers.h"}, fill_vp_registers},
      {"messages.md", "Messages, SynIC and the VP assist page", "What the hypervisor writes into memory of a VTL.",
       {"hv/messages.h", "hv/synic.h", "hv/assist_page.h"}, describe_all<message_headers, 3>},
      {"msrs.md", "Model-specific registers", "The synthetic MSRs of the hypervisor and those that the processor itself owns.",
       {"hv/msrs.h"}, fill_msrs},
      {"cpuid.md", "Hypervisor CPUID leaves", "How a guest finds out what it runs on.", {"hv/cpuid.h"}, describe_all<cpuid_headers, 1>},
      {"secure-services.md", "Secure services", "What NTOS asks the secure kernel: SKCALL with operation 1.", {"sk/call_frame.h"}, fill_secure_services},
      {"normal-services.md", "Normal services", "What the secure kernel asks NTOS, in the middle of a secure service or of a trustlet's system call.", {}, fill_normal_services},
      {"ium-system-calls.md", "System calls of isolated user mode", "The 48 NT calls and the six secure calls that a trustlet may make.", {}, fill_system_calls},
      {"secure-structures.md", "Structures of the secure kernel", "Parameter blocks, blobs, mailboxes, capabilities, keys, and the policy of a trustlet.",
       {"sk/structures.h", "sk/trustlet_metadata.h"}, describe_all<secure_structure_headers, 2>},
      {"ntstatus.md", "NTSTATUS values", "What secure services, normal services and system calls answer.", {"sk/status.h"}, describe_all<ntstatus_headers, 1>},
      {"boot-blocks.md", "Boot blocks", "What machine, firmware, winload, hvloader, NTOS and the secure kernel hand each other.",
       {"boot/firmware_handoff.h", "boot/launch_block.h", "boot/loader_lists.h", "boot/nt_loader_block.h", "boot/vsm_loader_block.h"},
       describe_all<boot_headers, 6>},
      {"debug-port.md", "Debug event port", "How ring 0 of a guest tells an observer what it does. The guest cannot tell whether anybody listens.",
       {"boot/debug_port.h"}, describe_all<debug_headers, 1>},
      {"processor.md", "Page tables, registers and exceptions", "Bits of both translation stages and of the processor's registers, under their SDM names.",
       {"x64/paging.h"}, describe_all<paging_headers, 3>},
      {"not-implemented.md", "Not implemented", "What the tables list and this machine answers with an error. Nothing on this page pretends to work.", {}, fill_not_implemented},
  };
  return list;
}

}  // namespace vsm_abi
