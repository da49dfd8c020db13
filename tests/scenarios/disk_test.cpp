// The boot disk is an ordinary FAT volume: a user can look inside and exchange files, and the machine boots what is there.
#include "tests/support/catch.h"

#include <algorithm>

#include "tests/support/machine_run.h"
#include "tests/support/program.h"

using namespace test;
using support::EventKind;

namespace {

/// Boots `disk` to its end and gives what happened.
Recorder boot(const DiskVariant& disk, loader::MachineConfig config, machine::StopReason& stop) {
  config.disk = disk.path();
  MachineRun run{config};
  stop = run.finish();
  return run.seen();
}

}  // namespace

TEST_CASE("mdir lists the images of the boot disk, and mcopy gets out what the build put in") {
  const ProgramResult listing = run_program({"mdir", "-b", "-/", "-i", guest_disk, "::"});
  REQUIRE(listing.exit_code == 0);
  for (const char* name : {"winload.efi", "hvloader.efi", "ntoskrnl.exe", "securekernel.exe", "skci.dll", "cng.sys",
                           "iumdll.dll", "iumbase.dll", "lsaiso.exe", "vmsp.exe", "thief.sys", "unsigned.sys"}) {
    INFO(name);
    EXPECT(listing.output.find(name) != std::string::npos);
  }
  const DiskVariant disk;
  EXPECT(disk.read(std::string{driver_folder} + "thief.sys") == read_file(guest_image("thief.sys")));
}

TEST_CASE("A driver that was exchanged on the disk is the one that runs") {
  DiskVariant disk;
  disk.replace_with_file(std::string{driver_folder} + "thief.sys", guest_image("unsigned.sys"));
  machine::StopReason stop{};
  const Recorder seen = boot(disk, bare_machine(), stop);
  INFO(seen.milestones());
  EXPECT(stop == machine::StopReason::PowerOff);
  CHECK_FALSE(seen.has(EventKind::Milestone, "thief: "));
  const size_t first = seen.find(EventKind::Milestone, "unsigned.sys: running in ring 0");
  EXPECT(seen.find(EventKind::Milestone, "unsigned.sys: running in ring 0", first + 1) < seen.events().size());
}

TEST_CASE("Without the secure kernel on the disk the machine boots and says that it has no VSM") {
  DiskVariant disk;
  disk.remove(std::string{system_folder} + "securekernel.exe");
  machine::StopReason stop{};
  const Recorder seen = boot(disk, with_vsm(), stop);
  INFO(seen.milestones());
  EXPECT(stop == machine::StopReason::PowerOff);
  EXPECT(seen.has(EventKind::Milestone, "securekernel.exe not found: this boot has no VSM"));
  EXPECT(seen.count(EventKind::VtlCall) == 0);
  EXPECT(seen.has(EventKind::Milestone, "thief: 9 of 9 attempts succeeded"));
}

TEST_CASE("Without winload or without a disk the firmware says so and resets") {
  machine::StopReason stop{};
  DiskVariant disk;
  disk.remove(std::string{boot_folder} + "winload.efi");
  const Recorder seen = boot(disk, bare_machine(), stop);
  EXPECT(stop == machine::StopReason::Reset);
  EXPECT(seen.has(EventKind::Milestone, "winload.efi: not found"));

  loader::MachineConfig config = bare_machine();
  config.disk = "none";
  MachineRun empty{config};
  EXPECT(empty.finish() == machine::StopReason::Reset);
  EXPECT(empty.seen().has(EventKind::Milestone, "no ATA disk"));
}

TEST_CASE("A reset with VTL 1 leaves nothing in memory, one without it nearly everything") {
  for (const bool vsm : {true, false}) {
    CAPTURE(vsm);
    MachineRun run{vsm ? with_vsm() : hypervisor_only()};
    REQUIRE(run.run_to_milestone("KiSystemStartup"));
    machine::Machine& machine = run.machine();
    const vtl::VirtualProcessor& vp = machine.processor();
    REQUIRE((vp.active == abi::hv::Vtl::Vtl0 && vp.cpl() == 0));
    EXPECT(run.seen().count(EventKind::VtlEnabled) == (vsm ? 2 : 0));
    // In place of what NTOS would do next: mov dx, 0CF9h; mov al, 6; out dx, al.
    const std::vector<uint8_t> code{0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee};
    const auto place = machine.translator().probe(
        machine.view(vp.active), {.address = mmu::Gva{vp.context().rip}, .kind = mmu::AccessKind::Execute, .user = false});
    REQUIRE(place.ok);
    REQUIRE(machine.schedule_input({machine.now(), machine::InputKind::MemoryPoke, place.translation.spa.value(), code}).ok());
    REQUIRE(run.finish() == machine::StopReason::Reset);
    const std::vector<uint64_t> pages = machine.memory().pages_in_use();
    const uint64_t end = machine.config().memory_bytes / abi::page_size;
    const auto kept = std::count_if(pages.begin(), pages.end(), [end](uint64_t page) { return page < end; });
    EXPECT((vsm ? kept == 0 : kept > 100));
  }
}

TEST_CASE("Garbage in place of NTOS ends the boot with a message, not with a crash") {
  DiskVariant disk;
  disk.replace(std::string{system_folder} + "ntoskrnl.exe", std::vector<uint8_t>(5000, 0xcc));
  machine::StopReason stop{};
  const Recorder seen = boot(disk, with_vsm(), stop);
  INFO(seen.milestones());
  EXPECT(stop == machine::StopReason::Reset);
  EXPECT(seen.has(EventKind::Milestone, "ntoskrnl.exe"));
  CHECK_FALSE(seen.has(EventKind::Milestone, "KiSystemStartup"));
}
