#pragma once
// Ports, where messages and events arrive, and connections, through which they are sent (TLFS 11.10 to 11.12).
#include <cstdint>

#include "sim/support/state_fields.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// A place of one partition at which another sends: a SINT of a virtual processor of one VTL.
struct Port {
  uint32_t id{};
  uint32_t type{};  ///< abi::hv::PortType: Message or Event
  uint8_t vtl{};
  uint8_t minimum_vtl{};  ///< of a connection
  uint8_t connection_partition{};
  uint8_t sint{};
  uint32_t vp{};  ///< vp_any: whichever can take it
  uint16_t first_flag{}, flags{};
  STATE_FIELDS(id, type, vtl, minimum_vtl, connection_partition, sint, vp, first_flag, flags)
  [[nodiscard]] const char* state_error() const {
    return vtl < abi::hv::implemented_vtls && sint < 16 ? "" : "a port of a SINT that is not";
  }
};

struct Connection {
  uint32_t id{};
  uint32_t type{};
  uint8_t vtl{};  ///< the lowest from which it may be used
  uint8_t port_partition{};
  uint32_t port{};
  STATE_FIELDS(id, type, vtl, port_partition, port)
};

}  // namespace vtl
