// What the kernels keep, read by types alone, against what they announced.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "abi/boot/virtual_layout.h"
#include "mmu/translator.h"
#include "sim/symbols/kernel.h"
#include "sim/symbols/places.h"
#include "sim/trace/image_names.h"
#include "tests/support/catch.h"
#include "tests/support/machine_run.h"

using namespace symbols;
using support::EventKind;
using vtl::Vtl;

namespace {

/// A boot with VSM, stopped where both trustlets live.
struct Moment {
  Moment() : run{test::with_vsm()} {
    REQUIRE(run.run_to_milestone("mailbox slot 0"));
    const auto names = [&](const test::Seen& seen) {
      support::Event event = seen.event;
      event.text = seen.text;
      learner.learn(event);
      learner.forget(event);
    };
    for (const test::Seen& seen : run.seen().events()) names(seen);
  }
  test::MachineRun run;
  loader::ImageCatalog images{{"guests/images"}};
  trace::ImageNames learner{images};
  Library library{{"guests/images"}};
  Kernels kernels{run.machine(), 0, images, library};
};

}  // namespace

TEST_CASE("Processes are those that both kernels announced") {
  Moment now;
  const auto processes = now.kernels.processes();
  INFO((processes ? std::string{} : processes.error().message));
  REQUIRE(processes.ok());
  const auto announced = now.run.seen().of(EventKind::ProcessCreated);
  EXPECT(processes.value().size() == announced.size());
  for (const test::Seen& seen : announced) {
    INFO("VTL " << static_cast<int>(seen.event.vtl) << " " << seen.text);
    const auto found = std::find_if(processes.value().begin(), processes.value().end(), [&](const KernelProcess& one) {
      return one.vtl == seen.event.vtl && one.pid == seen.event.a && one.name == seen.text;
    });
    REQUIRE(found != processes.value().end());
    // The process that stands for the secure kernel has no tables of its own in VTL 1; it announces the kernel's.
    if (found->name != "Secure System" || found->vtl != Vtl::Vtl1) EXPECT(found->cr3 == seen.event.b);
    EXPECT(found->secure_handle == seen.event.c);
    EXPECT(found->current == (found->cr3 != 0 && found->cr3 == now.run.machine().processor().contexts[found->vtl].cr3));
  }
}

TEST_CASE("A trustlet's structure says what was announced of it, and where its page tables are") {
  Moment now;
  const auto trustlets = now.kernels.trustlets();
  REQUIRE(trustlets.ok());
  REQUIRE(trustlets.value().size() == 2);
  for (const KernelTrustlet& one : trustlets.value()) {
    INFO(one.name);
    EXPECT(one.trustlet_id == (one.name == "lsaiso.exe" ? 1 : 2));
    EXPECT(one.cr3 != now.run.process_cr3(one.name));  // VTL 0 has other tables for it
    const auto image =
        std::find_if(one.fields.begin(), one.fields.end(), [](const FieldValue& f) { return f.name == "image_base"; });
    REQUIRE(image != one.fields.end());
    EXPECT(image->number == now.run.image(one.name).base);
    const auto name =
        std::find_if(one.fields.begin(), one.fields.end(), [](const FieldValue& f) { return f.name == "name"; });
    EXPECT(name->value == "\"" + one.name + "\"");
  }
}

TEST_CASE("Threads, handles, mailboxes, images, pools and ranges agree with each other") {
  Moment now;
  const auto table = [&](std::string_view what) {
    const auto read = now.kernels.table(what);
    INFO(what);
    REQUIRE(read.ok());
    EXPECT(read.value().complaint.empty());
    for (const auto& row : read.value().rows) EXPECT(row.cells.size() == read.value().columns.size());
    return read.value();
  };
  // Each thread that NTOS lends to a trustlet is one of the secure kernel's.
  const KernelTable threads = table("threads"), secure = table("secure_threads");
  size_t lent = 0;
  for (const auto& row : threads.rows) {
    if (row.cells[4].empty()) continue;
    ++lent;
    const auto other =
        std::find_if(secure.rows.begin(), secure.rows.end(), [&](const auto& r) { return r.cells[0] == row.cells[4]; });
    REQUIRE(other != secure.rows.end());
    EXPECT(other->cells[1] == row.cells[1]);
    EXPECT(other->cells[3] == row.cells[0]);
  }
  EXPECT(lent == 2);
  EXPECT(std::count_if(secure.rows.begin(), secure.rows.end(), [](const auto& r) { return r.cells[1] == "(pool)"; }) ==
         8);
  EXPECT(table("handles").rows.size() == 5);
  EXPECT(table("images").rows.size() == 2);
  const KernelTable mailboxes = table("mailboxes");
  REQUIRE(mailboxes.rows.size() == 1);
  EXPECT(mailboxes.rows[0].cells == std::vector<std::string>{"vmsp.exe", "0", "16"});
  EXPECT(table("blobs").rows.empty());
  EXPECT(table("ranges").rows.size() == 13);
  std::multiset<std::string> what;  // of both trustlets
  for (const KernelTable::Row& row : table("ranges").rows) what.insert(row.cells.back());
  for (const char* one : {"image", "PEB", "TEB", "stack"}) EXPECT(what.count(one) == 2);
  const KernelTable pools = table("pools");
  REQUIRE(pools.rows.size() == 7);
  for (const auto& row : pools.rows) EXPECT(std::stoul(row.cells[3]) <= std::stoul(row.cells[2]));
  CHECK_FALSE(now.kernels.table("everything").ok());
}

TEST_CASE("What VTL 1 keeps cannot be read as VTL 0, and says so") {
  Moment now;
  const auto trustlets = now.kernels.trustlets();
  REQUIRE(trustlets.ok());
  const ImageSymbols& sk = now.library.of("securekernel.exe");
  const auto type = sk.types.find("SkProcess");
  REQUIRE(type.has_value());
  uint8_t byte = 0;
  // By address VTL 0 has no mapping of it; through its direct map the second stage refuses.
  EXPECT(reader_of(now.run.machine(), 0, Vtl::Vtl0)(trustlets.value()[0].object, {&byte, 1}) == Reach::Unmapped);
  const uint64_t physical = trustlets.value()[0].cr3;
  EXPECT(reader_of(now.run.machine(), 0, Vtl::Vtl0)(abi::boot::direct_map_base + physical, {&byte, 1}) ==
         Reach::Denied);
  for (const bool denied : {false, true}) {
    const ReadMemory read = [&](uint64_t, std::span<uint8_t>) { return denied ? Reach::Denied : Reach::Unmapped; };
    const auto fields = fields_of(sk.types, *type, 0x1000, read);
    EXPECT(fields[0].value == (denied ? "??" : "--"));
    CHECK_FALSE(fields[0].number.has_value());
  }
}

TEST_CASE("An address belongs to the objects that the kernels keep there, the smallest first, in its own world and process only") {
  Moment now;
  const std::vector<KernelObject> objects = now.kernels.objects();
  const auto trustlets = now.kernels.trustlets();
  REQUIRE((trustlets.ok() && trustlets.value().size() == 2));
  const auto first_at = [&](Vtl vtl, uint64_t cr3, uint64_t address) {
    const auto found = objects_at(objects, vtl, cr3, address);
    return found.empty() ? std::string{} : found.front()->text;
  };
  for (const KernelTrustlet& one : trustlets.value()) {
    EXPECT(first_at(Vtl::Vtl1, 0, one.object + 8) == "SKPROCESS of " + one.name);
    EXPECT(first_at(Vtl::Vtl0, 0, one.object + 8).empty());
  }
  const KernelTable threads = now.kernels.table("secure_threads").value();
  size_t stacks = 0;
  for (const auto& row : threads.rows) {
    const uint64_t rsp = std::stoull(row.cells[6], nullptr, 16);
    if (first_at(Vtl::Vtl1, 0, rsp).find("kernel stack of secure thread " + row.cells[0]) != std::string::npos) ++stacks;
  }
  EXPECT(stacks == threads.rows.size());
  const KernelTable mailboxes = now.kernels.table("mailboxes").value();
  EXPECT(first_at(Vtl::Vtl1, 0, *mailboxes.rows[0].address + 8) == "mailbox 0 of vmsp.exe");
  const KernelTable ranges = now.kernels.table("ranges").value();
  const uint64_t base = std::stoull(ranges.rows[0].cells[1], nullptr, 16);
  const auto owner = std::find_if(trustlets.value().begin(), trustlets.value().end(), [&](const auto& one) { return one.name == ranges.rows[0].cells[0]; });
  REQUIRE(owner != trustlets.value().end());
  EXPECT(first_at(Vtl::Vtl1, owner->cr3, base).find(owner->name) != std::string::npos);
  EXPECT(first_at(Vtl::Vtl1, owner->cr3 + 0x100000, base).empty());
  EXPECT(now.kernels.page_state(owner->cr3 >> 12) == "Secured");
  EXPECT(now.kernels.page_state(0x100) == "Shared");
  EXPECT(now.kernels.page_state(~uint64_t{0} >> 12).empty());
}

TEST_CASE("A list of processes that a guest has made a circle ends with a message") {
  Moment now;
  const auto before = now.kernels.processes();
  REQUIRE(before.ok());
  const ImageSymbols& nt = now.library.of("ntoskrnl.exe");
  const auto next = nt.types.part(*nt.types.find("EPROCESS"), "next");
  REQUIRE(next.ok());
  const uint64_t object = before.value()[1].object;
  mmu::AddressSpace space = now.run.machine().view(Vtl::Vtl0);
  mmu::Translator& translator = const_cast<mmu::Translator&>(now.run.machine().translator());
  const std::span bytes{reinterpret_cast<const uint8_t*>(&object), sizeof object};
  REQUIRE(mmu::write_gva(translator, space, mmu::Gva{object + next.value().offset}, bytes) == bytes.size());
  EXPECT(now.kernels.objects().size() < 10'000);  // and nobody waits for its end
  const auto after = now.kernels.processes();
  REQUIRE_FALSE(after.ok());
  CHECK_THAT(after.error().message, Catch::Matchers::ContainsSubstring("form no list that ends"));
}
