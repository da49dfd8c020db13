#pragma once
// What an event says, in words.
#include <string>

#include "sim/loader/image_catalog.h"
#include "sim/support/events.h"
#include "sim/trace/call_decoder.h"

namespace trace {

struct EventDescription {
  std::string name;  ///< of the call, exception or image; empty where the kind says all
  Arguments arguments;
  std::string outcome;  ///< status of a hypercall or finished service
};

/// `images` gives addresses their names and may be null. VtlCall and VtlReturn are read as secure
/// and normal calls; that a VTL was entered for the first time, or that a call carries something
/// else, only CallTreePrinter knows.
[[nodiscard]] EventDescription describe(const support::Event& event,
                                        const loader::ImageCatalog* images);

/// "Hypercall ModifyVtlProtectionMask(map_flags=R, pages=0x10..0x1f) -> Success".
[[nodiscard]] std::string to_text(const support::Event& event, const EventDescription& description);

/// "#PF" and so on; "vector 0x51" for others.
[[nodiscard]] std::string exception_name(uint64_t vector);

}  // namespace trace
