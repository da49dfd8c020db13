#pragma once
// How methods and records of the debugger's interface are declared: once, for the dispatcher's checks, the reference in docs,
// and the clients that are generated from it.
#include <cstdint>
#include <span>
#include <string_view>

namespace rpc {

/// The type of a parameter or a result, as text:
///   boolean, text         as in JSON
///   integer               0 to 2^53 - 1 as a JSON number: instants, counts, numbers of VTLs and processors
///   signed                the same with a sign
///   hex                   a number of up to 128 bits as "0x" and hexadecimal digits: addresses, registers, sizes in memory
///   bytes                 pairs of hexadecimal digits
///   Name                  a record of records()
///   a|b|c                 one of these words
///   T[]                   a list
/// A `?` at the end says that it may be absent.
struct Field {
  std::string_view name, type, text;
};

struct Record {
  std::string_view name, text;
  std::span<const Field> fields;
};

/// What a call may do, for the faces that let strangers in.
enum class Effect : uint8_t {
  Looks,   ///< nothing changes
  Moves,   ///< the session's focus, breakpoints or bookmarks
  Forks,   ///< begins or changes a what-if branch
  Writes,  ///< a file of the host: only over stdio and in the program's own faces
};

struct Method {
  std::string_view name, text;
  std::span<const Field> parameters, results;
  Effect effect{};
};

[[nodiscard]] std::span<const Record> records();
[[nodiscard]] std::span<const Method> methods();
[[nodiscard]] const Record* find_record(std::string_view name);
[[nodiscard]] const Method* find_method(std::string_view name);

}  // namespace rpc
