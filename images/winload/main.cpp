// The order of the boot, as decisions 5 gives it. Each line is a step that the seeds name or imply.
#include "rt/panic.h"
#include "rt/startup.h"
#include "winload.h"

extern "C" efi::Status OslMain(efi::Handle image, efi::SystemTable* table) {
  using namespace osl;
  rt::run_static_initializers();
  rt::set_panic_handler([](const char* text) { fail("panic", text); });
  services_initialize(image, table);

  OslSetVsmPolicy();  // VbsPolicyDisabled first, then registry and VbsPolicy
  OslCreateNtLoaderBlock();
  OslLoadBootFiles();
  OslArchHypervisorSetup(0);  // hvloader.efi and the hypervisor's parameters (S48)
  OslLoadNtKernel();
  OslProvisionLocalKeys();  // LKEY (S52)
  OslVsmSetup(0);           // the VSM loader block; secure kernel, SKCI, CNG (S51, S53)
  OslVsmSetup(1);           // shared buffers, stacks, code-integrity data

  page_tables_initialize();
  if (efi::failed(exit_boot_services())) fail("ExitBootServices", "refused");
  page_tables_activate();
  OslBuildMemoryDescriptors(&nt_block->memory_descriptor_list);

  OslArchHypervisorSetup(1);  // from here the loader runs in the root partition, VTL 0 (S49)
  OslVsmSetup(2);             // keys into the block; the secure kernel's entry, in VTL 0

  const auto* kernel = from_virtual<LoadedModule>(nt_block->load_order_list.flink);
  boot::milestone("winload: OslArchTransferToKernel");
  OslArchTransferToKernel(to_virtual(nt_block), kernel->entry_point, nt_block->kernel_stack);
}
