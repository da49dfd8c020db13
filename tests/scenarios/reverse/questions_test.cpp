// Who took the right away, who wrote the secret, who wrote that entry: asked backwards, at the moment of the SLAT violation.
#include "tests/unit/debugger/boot_timeline.h"

#include <cstring>

#include "abi/hv/hypercalls.h"
#include "sim/debugger/questions.h"
#include "sim/loader/image_catalog.h"

using namespace debugger;
using support::EventKind;

namespace {

constexpr Gva secret{0x2779cbb0000};

/// A timeline that stands where VTL 0 touches the page of the secret for the first time.
struct Violation {
  Violation() : timeline{test::boot_timeline()} {
    timeline->explore_all();
    const auto touch = timeline->history().first({}, [&](const support::Event& event) {
      return event.kind == EventKind::Intercept && Gva{event.a}.page_base() == secret;
    });
    REQUIRE(touch.has_value());
    page = Gpa{touch->event.b}.page_base();
    REQUIRE(timeline->seek(touch->event.at) == Arrival::There);
    const auto process = timeline->history().last(timeline->now(), [](const support::Event& event) {
      return event.kind == EventKind::ProcessCreated && event.vtl == Vtl::Vtl0 && event.text == "lsaiso.exe";
    }, {});
    REQUIRE(process.has_value());
    cr3 = process->event.b;
    // Images as they lie at this instant, for names of addresses.
    Instant from;
    while (const auto image = timeline->history().first(from, [](const support::Event& event) {
      return event.kind == EventKind::ImageLoaded || event.kind == EventKind::ImageUnloaded;
    })) {
      if (image->event.at > timeline->now()) break;
      const Instant at = image->event.at;
      (void)timeline->history().first(at, [&](const support::Event& event) {
        if (event.at == at && event.kind == EventKind::ImageLoaded) images.load(event.text, event.a, event.b, event.c);
        if (event.at == at && event.kind == EventKind::ImageUnloaded) images.unload(event.text, event.a);
        return event.at > at;
      });
      from = at + 1;
    }
  }

  [[nodiscard]] std::string image_of(const Hit& hit) const {
    const loader::LoadedImage* image = images.find(hit.rip, hit.cr3);
    return image != nullptr ? image->name : "";
  }
  /// The bytes of memory at an instant.
  [[nodiscard]] std::vector<uint8_t> at(Instant instant, Spa spa, size_t count) const {
    REQUIRE(timeline->seek(instant) == Arrival::There);
    std::vector<uint8_t> bytes(count);
    REQUIRE(timeline->machine().memory().read(spa, bytes));
    return bytes;
  }

  std::unique_ptr<Timeline> timeline;
  Gpa page;
  uint64_t cr3{};
  loader::ImageCatalog images;
};

Violation& violation() {
  static Violation standing;
  return standing;
}

}  // namespace

TEST_CASE("the right to the secret's page was taken away by VTL 1 with ModifyVtlProtectionMask") {
  Violation& here = violation();
  const Instant now = here.timeline->now();
  const auto found = last_permission_change(*here.timeline, Vtl::Vtl0, here.page);
  REQUIRE(found.ok());
  REQUIRE(found.value().has_value());
  const PermissionChange& change = *found.value();
  EXPECT(here.timeline->now() == now);
  EXPECT(change.answer.hit.at < now);
  EXPECT(change.answer.hit.vtl == Vtl::Vtl1);
  EXPECT(change.answer.hit.cpl == 0);
  EXPECT(change.before.rights.read);
  EXPECT(!change.after.rights.read);
  EXPECT(!change.after.rights.write);
  REQUIRE(change.answer.event.has_value());
  EXPECT(change.answer.event->event.kind == EventKind::ProtectionChange);
  const auto call = here.timeline->history().first(change.answer.hit.at, [](const support::Event& event) {
    return event.kind == EventKind::Hypercall;
  });
  REQUIRE(call.has_value());
  EXPECT(call->event.at == change.answer.hit.at);
  const abi::hv::CallInfo* info = abi::hv::find_call(static_cast<uint16_t>(call->event.a));
  REQUIRE(info != nullptr);
  EXPECT(std::string{info->name} == "ModifyVtlProtectionMask");

  // And it is so: VTL 0 may read before the instruction, and may not after it.
  const auto readable = [&] { return here.timeline->machine().view(Vtl::Vtl0).slat->lookup(here.page).rights.read; };
  REQUIRE(here.timeline->seek(change.answer.hit.at) == Arrival::There);
  EXPECT(readable());
  REQUIRE(here.timeline->step_forward() == Arrival::There);
  EXPECT(!readable());
  REQUIRE(here.timeline->seek(now) == Arrival::There);
}

TEST_CASE("the last write to the secret is the trustlet's own instruction, in ring 3 of VTL 1") {
  Violation& here = violation();
  const Instant now = here.timeline->now();
  const Spa spa{here.page.value()};  // the root partition's memory lies where it says
  const auto answer = last_write(*here.timeline, watch_spa(here.timeline->machine(), spa, 16));
  REQUIRE(answer.has_value());
  EXPECT(answer->hit.vtl == Vtl::Vtl1);
  EXPECT(answer->hit.cpl == 3);
  const auto process = here.timeline->history().last(now, [](const support::Event& event) {
    return event.kind == EventKind::ProcessCreated && event.vtl == Vtl::Vtl1 && event.text == "lsaiso.exe";
  }, {});
  REQUIRE(process.has_value());
  EXPECT(answer->hit.cr3 == process->event.b);
  const auto image = here.timeline->history().last(now, [](const support::Event& event) {
    return event.kind == EventKind::ImageLoaded && event.text == "lsaiso.exe";
  }, {});
  REQUIRE(image.has_value());
  EXPECT(answer->hit.rip - image->event.a < image->event.b);
  EXPECT(here.at(answer->hit.at, spa, 16) == answer->hit.before);
  EXPECT(here.at(answer->hit.at + 1, spa, 16) == answer->hit.after);
  EXPECT(here.at(now, spa, 16) == answer->hit.after);

  // By its virtual address, which VTL 0 has mapped and may not read, the answer is the same.
  const auto by_gva = watch_gva(here.timeline->machine(), Vtl::Vtl0, here.cr3, secret, 16);
  REQUIRE(by_gva.ok());
  const auto again = last_write(*here.timeline, by_gva.value());
  REQUIRE(again.has_value());
  EXPECT(again->hit.at == answer->hit.at);
}

TEST_CASE("VTL 0's page-table entry of the secret was made by its kernel, and bent by the thief") {
  Violation& here = violation();
  const Instant now = here.timeline->now();
  constexpr uint64_t frame = 0x000ffffffffff000;
  std::vector<std::string> writers;
  for (Instant from = now; writers.empty() || writers.back() != "ntoskrnl.exe";) {
    REQUIRE(here.timeline->seek(from) == Arrival::There);
    const auto found = last_mapping_change(*here.timeline, Vtl::Vtl0, here.cr3, secret);
    REQUIRE(found.ok());
    REQUIRE(found.value().has_value());
    const Answer& answer = *found.value();
    EXPECT(answer.hit.vtl == Vtl::Vtl0);
    EXPECT(answer.hit.cpl == 0);
    REQUIRE(answer.hit.after.size() == 8);
    uint64_t entry = 0;
    std::memcpy(&entry, answer.hit.after.data(), 8);
    EXPECT((entry & frame) == here.page.value());
    writers.push_back(here.image_of(answer.hit));
    REQUIRE(writers.size() < 10);
    EXPECT((writers.back() == "ntoskrnl.exe" || writers.back() == "thief.sys"));
    from = answer.hit.at;
  }
  REQUIRE(here.timeline->seek(now) == Arrival::There);
}

TEST_CASE("the last change of a register is the instruction after which it is different") {
  Violation& here = violation();
  const Instant now = here.timeline->now();
  for (const char* name : {"cr3", "rbx", "lstar", "xmm10"}) {
    CAPTURE(name);
    const RegisterId id = *find_register(name);
    REQUIRE(here.timeline->seek(now) == Arrival::There);
    const Condition watch = RegisterWatch{id, Vtl::Vtl0};
    const auto answer = last_write(*here.timeline, {watch});
    REQUIRE(answer.has_value());
    const std::vector<uint8_t> present = watched_value(here.timeline->machine(), watch);
    EXPECT(answer->hit.after == present);
    REQUIRE(here.timeline->seek(answer->hit.at) == Arrival::There);
    EXPECT(watched_value(here.timeline->machine(), watch) == answer->hit.before);
    EXPECT(watched_value(here.timeline->machine(), watch) != present);
    REQUIRE(here.timeline->seek(answer->hit.at + 1) == Arrival::There);
    EXPECT(watched_value(here.timeline->machine(), watch) == present);
  }
  REQUIRE(here.timeline->seek(now) == Arrival::There);
}

TEST_CASE("questions look only at pieces of the run that can hold the answer") {
  const auto timeline = test::boot_timeline();
  (void)timeline->seek(support::never);
  // A page that nobody ever writes: not one instruction is looked at.
  const auto pages = timeline->machine().memory().pages_in_use();
  uint64_t unused = 0;
  while (std::binary_search(pages.begin(), pages.end(), unused)) ++unused;
  bool dirty = true;
  for (; dirty; ++unused) {
    dirty = false;
    for (const Interval& interval : timeline->intervals())
      dirty = dirty || std::binary_search(interval.dirty.begin(), interval.dirty.end(), static_cast<uint32_t>(unused));
    if (!dirty) break;
  }
  EXPECT(!last_write(*timeline, watch_spa(timeline->machine(), Spa{unused * 4096}, 4096)));
  EXPECT(timeline->looked_at() == 0);
}

TEST_CASE("addresses that lead nowhere are refused with the reason") {
  Violation& here = violation();
  const auto nowhere = watch_gva(here.timeline->machine(), Vtl::Vtl0, here.cr3, Gva{0x1234'5678'9000}, 8);
  REQUIRE(!nowhere.ok());
  EXPECT(nowhere.error().message.find("0x123456789000") != std::string::npos);
  EXPECT(watch_spa(here.timeline->machine(), Spa{uint64_t{1} << 39}, 8).empty());
}
