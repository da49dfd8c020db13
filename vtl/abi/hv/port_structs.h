#pragma once
// What hypercalls of the synthetic interrupt controller read and write: ports, connections, and messages and events to
// a SINT by its number (TLFS chapter 11; hvdef).
#include <stdint.h>

#include "abi/layout/bits.h"
#include "abi/layout/fields.h"

namespace abi::hv {

struct PostMessage {
  uint32_t connection;
  uint32_t reserved;
  uint32_t message_type;
  uint32_t payload_size;
  uint8_t payload[240];
};

struct SignalEvent {
  uint32_t connection;
  uint16_t flag_number;
  uint16_t reserved;
};

/// HV_PORT_TYPE.
enum class PortType : uint32_t { Message = 1, Event = 2, Monitor = 3, Doorbell = 4 };

/// HV_PORT_INFO. The flags are an event port's alone.
struct PortInfo {
  uint32_t type;
  uint32_t reserved;
  uint32_t target_sint;
  uint32_t target_vp;
  uint16_t base_flag_number;
  uint16_t flag_count;
  uint32_t reserved1;
};

struct CreatePort {
  uint64_t port_partition;
  uint32_t port_id;
  uint8_t port_vtl;
  uint8_t min_connection_vtl;
  uint16_t reserved;
  uint64_t connection_partition;  ///< who alone may connect; 0: anybody
  PortInfo port_info;
  uint64_t proximity_domain;
};

struct DeletePort {
  uint64_t port_partition;
  uint32_t port_id;
  uint32_t reserved;
};

/// HV_CONNECTION_INFO of message and event ports: nothing but the type.
struct ConnectionInfo {
  uint32_t type;
  uint32_t reserved;
  uint64_t words[3];
};

struct ConnectPort {
  uint64_t connection_partition;
  uint32_t connection_id;
  uint8_t connection_vtl;
  uint8_t reserved0;
  uint16_t reserved1;
  uint64_t port_partition;
  uint32_t port_id;
  uint32_t reserved2;
  ConnectionInfo connection_info;
  uint64_t proximity_domain;
};

struct DisconnectPort {
  uint64_t connection_partition;
  uint32_t connection_id;
  uint32_t flags;  ///< bit 0: a doorbell
};

struct SignalEventDirect {
  uint64_t target_partition;
  uint32_t target_vp;
  uint8_t target_vtl;
  uint8_t target_sint;
  uint16_t flag_number;
};
struct SignalEventDirectOutput {
  uint8_t newly_signaled;
  uint8_t reserved[7];
};

struct PostMessageDirect {
  uint64_t target_partition;
  uint32_t target_vp;
  uint8_t target_vtl;
  uint8_t reserved[3];
  uint32_t sint_index;
  uint8_t message[256];
  uint32_t reserved1;
};

}  // namespace abi::hv

ABI_FIELDS(abi::hv::PostMessage, 256, (connection, Plain), (reserved, Reserved),
           (message_type, Plain), (payload_size, Count), (payload, Bytes));
ABI_FIELDS(abi::hv::SignalEvent, 8, (connection, Plain), (flag_number, Plain),
           (reserved, Reserved));
ABI_FIELDS(abi::hv::PortInfo, 24, (type, Plain), (reserved, Reserved), (target_sint, Plain),
           (target_vp, Plain), (base_flag_number, Plain), (flag_count, Count),
           (reserved1, Reserved));
ABI_FIELDS(abi::hv::CreatePort, 56, (port_partition, Plain), (port_id, Plain), (port_vtl, Vtl),
           (min_connection_vtl, Vtl), (reserved, Reserved), (connection_partition, Plain),
           (port_info, Bytes), (proximity_domain, Plain));
ABI_FIELDS(abi::hv::DeletePort, 16, (port_partition, Plain), (port_id, Plain),
           (reserved, Reserved));
ABI_FIELDS(abi::hv::ConnectionInfo, 32, (type, Plain), (reserved, Reserved), (words, Reserved));
ABI_FIELDS(abi::hv::ConnectPort, 72, (connection_partition, Plain), (connection_id, Plain),
           (connection_vtl, Vtl), (reserved0, Reserved), (reserved1, Reserved),
           (port_partition, Plain), (port_id, Plain), (reserved2, Reserved),
           (connection_info, Bytes), (proximity_domain, Plain));
ABI_FIELDS(abi::hv::DisconnectPort, 16, (connection_partition, Plain), (connection_id, Plain),
           (flags, Flags));
ABI_FIELDS(abi::hv::SignalEventDirect, 16, (target_partition, Plain), (target_vp, Plain),
           (target_vtl, Vtl), (target_sint, Plain), (flag_number, Plain));
ABI_FIELDS(abi::hv::SignalEventDirectOutput, 8, (newly_signaled, Plain), (reserved, Reserved));
ABI_FIELDS(abi::hv::PostMessageDirect, 280, (target_partition, Plain), (target_vp, Plain),
           (target_vtl, Vtl), (reserved, Reserved), (sint_index, Plain), (message, Bytes),
           (reserved1, Reserved));
