// Registers and memory, as the selected thread's VTL sees them.
#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/gdb/packet.h"
#include "sim/faces/gdb/stub.h"
#include "sim/faces/gdb/target_description.h"

namespace faces::gdb {
namespace {

/// As gdb and lldb know it from other servers: EFAULT's place in their table.
constexpr const char* bad_address = "E14";

std::string little_endian_digits(uint64_t number, size_t bytes) {
  std::string digits;
  for (size_t i = 0; i < bytes; ++i) digits += hex_byte(static_cast<uint8_t>(number >> (8 * i)));
  return digits;
}

struct MemoryFields {
  uint64_t address{}, length{};
  std::string_view data;
};

/// "address,length" and, behind a colon, data.
std::optional<MemoryFields> memory_fields(std::string_view rest) {
  Fields fields{rest};
  const auto address = fields.number_until(',');
  const auto length = fields.number_until(':');
  if (!address || !length) return std::nullopt;
  return MemoryFields{*address, *length, fields.rest()};
}

constexpr const char* triple = "x86_64-pc-windows-msvc";

}  // namespace

Answered<std::string> Stub::register_digits(Thread thread, size_t number) {
  const RegisterRow& row = registers()[number];
  const size_t bytes = row.bits / 8;
  if (row.name == "vtl") return little_endian_digits(thread.vtl, bytes);
  if (row.name == "vp") return little_endian_digits(thread.vp, bytes);
  if (row.name == "instant") return little_endian_digits(target_.stop().at, bytes);
  if (row.name == "instructions") return little_endian_digits(target_.stop().instruction, bytes);
  const auto value = TRY(target_.register_value(thread, row.source, bytes));
  return value ? to_hex(*value) : std::string(2 * bytes, 'x');
}

Reply Stub::read_registers(std::string_view rest) {
  const auto thread = take_thread(rest);
  if (!thread) return wrong("there is no such thread");
  std::string all;
  for (size_t number = 0; number < registers().size(); ++number) {
    const auto digits = register_digits(*thread, number);
    if (!digits) return refusal(digits.error());
    all += digits.value();
  }
  return all;
}

Reply Stub::read_register(std::string_view rest) {
  const auto thread = take_thread(rest);
  const auto number = number_from_hex(rest);
  if (!thread || !number || *number >= registers().size()) return wrong("there is no such register");
  const auto digits = register_digits(*thread, *number);
  return digits ? Reply{digits.value()} : refusal(digits.error());
}

Reply Stub::write_register(std::string_view rest) {
  const auto thread = take_thread(rest);
  Fields fields{rest};
  const auto number = fields.number_until('=');
  const auto value = from_hex(fields.rest());
  if (!thread || !number || *number >= registers().size() || !value || value->size() != registers()[*number].bits / 8)
    return wrong("there is no such register, or its value has another size");
  if (is_vsm_register(*number)) return wrong("this register says where the session stands; monitor moves it");
  const Done done = target_.write_register(*thread, registers()[*number].source, *value);
  return done ? Reply{"OK"} : refusal(done.error());
}

/// Writes those that differ, so that a client which writes back what it read needs no permission.
Reply Stub::write_registers(std::string_view rest) {
  const auto thread = take_thread(rest);
  if (!thread) return wrong("there is no such thread");
  for (size_t number = 0; number < registers().size() && !rest.empty(); ++number) {
    const size_t digits = registers()[number].bits / 4;
    const std::string_view wanted = rest.substr(0, digits);
    const auto value = from_hex(wanted);
    rest.remove_prefix(wanted.size());
    const auto now = register_digits(*thread, number);
    if (!now) return refusal(now.error());
    if (wanted == now.value() || wanted == std::string(digits, 'x')) continue;
    if (!value || wanted.size() != digits) return wrong("the registers are cut off");
    if (is_vsm_register(number))
      return wrong("vtl, vp, instant and instructions say where the session stands; monitor moves it");
    const Done done = target_.write_register(*thread, registers()[number].source, *value);
    if (!done) return refusal(done.error());
  }
  return "OK";
}

Reply Stub::read_memory(std::string_view rest) {
  const auto thread = take_thread(rest);
  const auto fields = memory_fields(rest);
  if (!thread || !fields) return wrong("m wants an address and a length");
  const uint64_t length = std::min<uint64_t>(fields->length, maximum_packet / 2);
  const auto bytes = target_.read(*thread, physical_ ? Space::Gpa : Space::Gva, fields->address, length);
  if (!bytes) return bad_address;
  return bytes.value().empty() && length != 0 ? Reply{bad_address} : Reply{to_hex(bytes.value())};
}

Reply Stub::write_memory_hex(std::string_view rest) {
  const auto fields = memory_fields(rest);
  const auto bytes = fields ? from_hex(fields->data) : std::nullopt;
  if (!bytes || bytes->size() != fields->length) return wrong("M wants an address, a length and as many bytes");
  if (bytes->empty()) return "OK";
  const Done done = target_.write(general_, physical_ ? Space::Gpa : Space::Gva, fields->address, *bytes);
  return done ? Reply{"OK"} : refusal(done.error());
}

Reply Stub::write_memory(std::string_view rest) {
  const auto fields = memory_fields(rest);
  if (!fields || fields->data.size() != fields->length) return wrong("X wants an address, a length and as many bytes");
  if (fields->data.empty()) return "OK";  // asks whether X is known
  const std::vector<uint8_t> bytes{fields->data.begin(), fields->data.end()};
  const Done done = target_.write(general_, physical_ ? Space::Gpa : Space::Gva, fields->address, bytes);
  return done ? Reply{"OK"} : refusal(done.error());
}

Reply Stub::physical_mode(std::string_view) { return physical_ ? "1" : "0"; }

Reply Stub::set_physical_mode(std::string_view rest) {
  if (rest != "0" && rest != "1") return wrong("the mode is 0 or 1");
  physical_ = rest == "1";
  return "OK";
}

Reply Stub::memory_region(std::string_view rest) {
  const auto address = number_from_hex(rest);
  if (!address) return wrong("qMemoryRegionInfo wants an address");
  constexpr uint64_t page = 4096;
  const auto region = target_.region(general_, *address);
  if (!region) return refusal(region.error());
  const Target::Region& is = region.value();
  const std::string permissions =
      std::string{is.readable ? "r" : ""} + (is.writable ? "w" : "") + (is.executable ? "x" : "");
  return fmt::format("start:{:x};size:{:x};{}", *address & ~(page - 1), is.size,
                     permissions.empty() ? "" : "permissions:" + permissions + ";");
}

/// The triple makes lldb take our PE files and PDBs, and spares it a search through memory for an ELF file.
Reply Stub::host(std::string_view) {
  return fmt::format("triple:{};ptrsize:8;endian:little;watchpoint_exceptions_received:after;",
                     to_hex(std::string_view{triple}));
}

Reply Stub::process(std::string_view) {
  return fmt::format("pid:1;triple:{};ptrsize:8;endian:little;ostype:windows;vendor:pc;",
                     to_hex(std::string_view{triple}));
}

}  // namespace faces::gdb
