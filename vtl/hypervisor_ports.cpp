// Ports and connections (TLFS 11.10 to 11.12): how partitions, and the VTLs of one, send to each other.
#include <algorithm>
#include <cstring>

#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

namespace {

/// Identifiers have 24 bits (HV_PORT_ID, HV_CONNECTION_ID).
constexpr uint32_t last_identifier = 0xFFFFFF;
constexpr uint32_t hypervisor_message = 1u << 31;
/// Of each kind in one partition.
constexpr size_t most_ports = 4096;

template <class List>
auto find(List& list, uint32_t id) {
  const auto found = std::lower_bound(list.begin(), list.end(), id,
                                      [](const auto& item, uint32_t wanted) { return item.id < wanted; });
  return found != list.end() && found->id == id ? &*found : nullptr;
}

template <class List, class Item>
void insert(List& list, const Item& item) {
  const auto before = std::lower_bound(list.begin(), list.end(), item.id,
                                       [](const auto& other, uint32_t id) { return other.id < id; });
  list.insert(before, item);
}

template <class List>
void remove(List& list, uint32_t id) {
  std::erase_if(list, [&](const auto& item) { return item.id == id; });
}

HvStatus check_port_info(const PortInfo& info) {
  if (info.reserved != 0 || info.target_sint >= sint_count) return HvStatus::InvalidParameter;
  switch (static_cast<PortType>(info.type)) {
    case PortType::Message:
      return info.base_flag_number == 0 && info.flag_count == 0 && info.reserved1 == 0
                 ? HvStatus::Success
                 : HvStatus::InvalidParameter;
    case PortType::Event: {
      const uint32_t end = uint32_t{info.base_flag_number} + info.flag_count;
      const bool fits = info.flag_count != 0 && end <= event_flags_per_sint && info.reserved1 == 0;
      return fits ? HvStatus::Success : HvStatus::InvalidParameter;
    }
    default:
      return HvStatus::InvalidParameter;  // monitors and doorbells are not offered
  }
}

}  // namespace

CallResult Hypervisor::on(Tag<CallCode::CreatePort>, const CallContext& context,
                          const abi::hv::CreatePort& input) {
  if (!context.partition.privileges.create_port()) return HvStatus::AccessDenied;
  Partition* const owner = target_partition(context, input.port_partition);
  if (owner == nullptr) return HvStatus::InvalidPartitionId;
  uint8_t connection_partition = 0;  // anybody's
  if (input.connection_partition != 0) {
    const Partition* const other =
        input.connection_partition == partition_self
            ? &context.partition
            : find_partition(input.connection_partition);
    if (other == nullptr) return HvStatus::InvalidPartitionId;
    connection_partition = other->id;
  }
  if (input.port_id > last_identifier || find(owner->ports, input.port_id) != nullptr)
    return HvStatus::InvalidPortId;
  const PortInfo& info = input.port_info;
  if (const HvStatus status = check_port_info(info); status != HvStatus::Success) return status;
  if (input.reserved != 0 || input.port_vtl >= implemented_vtls ||
      input.min_connection_vtl >= implemented_vtls) {
    return HvStatus::InvalidParameter;
  }
  if (owner == &context.partition && input.port_vtl > static_cast<uint8_t>(context.vtl))
    return HvStatus::AccessDenied;
  if (info.target_vp != vp_any && owner->find_vp(info.target_vp) == nullptr)
    return HvStatus::InvalidVpIndex;
  if (owner->ports.size() == most_ports) return HvStatus::InsufficientMemory;
  insert(owner->ports, Port{.id = input.port_id,
                            .type = info.type,
                            .vtl = input.port_vtl,
                            .minimum_vtl = input.min_connection_vtl,
                            .connection_partition = connection_partition,
                            .sint = static_cast<uint8_t>(info.target_sint),
                            .vp = info.target_vp,
                            .first_flag = info.base_flag_number,
                            .flags = info.flag_count});
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::DeletePort>, const CallContext& context,
                          const abi::hv::DeletePort& input) {
  if (!context.partition.privileges.create_port()) return HvStatus::AccessDenied;
  Partition* const owner = target_partition(context, input.port_partition);
  if (owner == nullptr) return HvStatus::InvalidPartitionId;
  if (input.reserved != 0) return HvStatus::InvalidParameter;
  const Port* const port = find(owner->ports, input.port_id);
  if (port == nullptr) return HvStatus::InvalidPortId;
  if (owner == &context.partition && port->vtl > static_cast<uint8_t>(context.vtl))
    return HvStatus::AccessDenied;
  remove(owner->ports, input.port_id);
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::ConnectPort>, const CallContext& context,
                          const abi::hv::ConnectPort& input) {
  if (!context.partition.privileges.connect_port()) return HvStatus::AccessDenied;
  Partition* const owner = target_partition(context, input.connection_partition);
  if (owner == nullptr) return HvStatus::InvalidPartitionId;
  const bool self = input.port_partition == partition_self;
  const Partition* const far = self ? &context.partition : find_partition(input.port_partition);
  if (far == nullptr) return HvStatus::InvalidPartitionId;
  if (input.connection_id > last_identifier ||
      find(owner->connections, input.connection_id) != nullptr) {
    return HvStatus::InvalidConnectionId;
  }
  const auto reserved_set = [&] {
    uint64_t bits = input.reserved0 | input.reserved1 | input.reserved2;
    bits |= input.connection_info.reserved;
    for (const uint64_t word : input.connection_info.words)
      bits |= word;
    return bits != 0;
  };
  if (reserved_set() || input.connection_vtl >= implemented_vtls) return HvStatus::InvalidParameter;
  const Port* const port = find(far->ports, input.port_id);
  if (port == nullptr || port->type != input.connection_info.type) return HvStatus::InvalidPortId;
  if (port->connection_partition != 0 && port->connection_partition != owner->id)
    return HvStatus::InvalidPortId;
  if (input.connection_vtl < port->minimum_vtl) return HvStatus::AccessDenied;
  if (owner == &context.partition && input.connection_vtl > static_cast<uint8_t>(context.vtl))
    return HvStatus::AccessDenied;
  if (owner->connections.size() == most_ports) return HvStatus::InsufficientMemory;
  insert(owner->connections, Connection{.id = input.connection_id,
                                        .type = port->type,
                                        .vtl = input.connection_vtl,
                                        .port_partition = far->id,
                                        .port = input.port_id});
  return HvStatus::Success;
}

CallResult Hypervisor::on(Tag<CallCode::DisconnectPort>, const CallContext& context,
                          const abi::hv::DisconnectPort& input) {
  if (!context.partition.privileges.connect_port()) return HvStatus::AccessDenied;
  Partition* const owner = target_partition(context, input.connection_partition);
  if (owner == nullptr) return HvStatus::InvalidPartitionId;
  if (input.flags != 0) return HvStatus::InvalidParameter;  // bit 0: a doorbell
  const Connection* const connection = find(owner->connections, input.connection_id);
  if (connection == nullptr) return HvStatus::InvalidConnectionId;
  if (owner == &context.partition && connection->vtl > static_cast<uint8_t>(context.vtl))
    return HvStatus::AccessDenied;
  remove(owner->connections, input.connection_id);
  return HvStatus::Success;
}

void Hypervisor::drop_ports_of(Partition& gone) {
  gone.ports.clear();
  gone.connections.clear();
  for (const auto& partition : partitions_) {
    if (partition == nullptr) continue;
    std::erase_if(partition->ports, [&](const Port& port) { return port.connection_partition == gone.id; });
    std::erase_if(partition->connections,
                  [&](const Connection& connection) { return connection.port_partition == gone.id; });
  }
}

/// The port behind a connection of the caller, and the processor that it means now.
HvStatus Hypervisor::find_connection(const CallContext& context, uint32_t id, PortType type,
                                     const Port*& port, VpState*& vp) {
  const Connection* const connection = find(context.partition.connections, id);
  if (connection == nullptr || connection->vtl > static_cast<uint8_t>(context.vtl))
    return HvStatus::InvalidConnectionId;
  Partition* const owner = partitions_[connection->port_partition - 1u].get();
  port = owner != nullptr ? find(owner->ports, connection->port) : nullptr;
  if (port == nullptr || port->type != static_cast<uint32_t>(type)) return HvStatus::InvalidPortId;
  const auto vtl = static_cast<Vtl>(port->vtl);
  vp = nullptr;
  if (port->vp != vp_any) {
    vp = owner->find_vp(port->vp);
  } else {
    for (VpState* candidate : owner->vps) {
      if (vp == nullptr && candidate->enabled(vtl) && candidate->vtls[vtl].synic.enabled())
        vp = candidate;
    }
  }
  return vp != nullptr && vp->enabled(vtl) ? HvStatus::Success : HvStatus::InvalidVpIndex;
}

CallResult Hypervisor::on(Tag<CallCode::PostMessage>, const CallContext& context,
                          const abi::hv::PostMessage& input) {
  if (!context.partition.privileges.post_messages()) return HvStatus::AccessDenied;
  Message message{};
  if (input.payload_size > sizeof message.payload || input.reserved != 0 ||
      (input.message_type & hypervisor_message) != 0 || input.message_type == 0) {
    return HvStatus::InvalidParameter;
  }
  const Port* port{};
  VpState* vp{};
  const HvStatus found = find_connection(context, input.connection, PortType::Message, port, vp);
  if (found != HvStatus::Success) return found;
  message.header = {.type = static_cast<MessageType>(input.message_type),
                    .payload_size = static_cast<uint8_t>(input.payload_size),
                    .flags = 0,
                    .reserved = 0,
                    .origin = port->id};
  std::memcpy(message.payload, input.payload, input.payload_size);
  return post_message(*vp, static_cast<Vtl>(port->vtl), port->sint, message);
}

CallResult Hypervisor::on(Tag<CallCode::SignalEvent>, const CallContext& context,
                          const abi::hv::SignalEvent& input) {
  if (!context.partition.privileges.signal_events()) return HvStatus::AccessDenied;
  if (input.reserved != 0) return HvStatus::InvalidParameter;
  const Port* port{};
  VpState* vp{};
  const HvStatus found = find_connection(context, input.connection, PortType::Event, port, vp);
  if (found != HvStatus::Success) return found;
  if (input.flag_number >= port->flags) return HvStatus::InvalidParameter;
  bool newly{};
  return signal_event(*vp, static_cast<Vtl>(port->vtl), port->sint,
                      static_cast<uint16_t>(port->first_flag + input.flag_number), newly);
}

}  // namespace vtl
