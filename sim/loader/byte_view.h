#pragma once
// Little-endian reads from bytes that nobody vouches for.
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace loader {

using Bytes = std::span<const uint8_t>;

/// True if [offset, offset + size) lies inside `bytes`; no value of either overflows.
[[nodiscard]] constexpr bool contains(Bytes bytes, uint64_t offset, uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

/// The T at `offset`, or nothing where it would reach past the end. T is a trivially copyable wire
/// type.
template <class T>
[[nodiscard]] std::optional<T> read_at(Bytes bytes, uint64_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (!contains(bytes, offset, sizeof(T))) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// The part [offset, offset + size), or nothing.
[[nodiscard]] inline std::optional<Bytes> part(Bytes bytes, uint64_t offset, uint64_t size) {
  if (!contains(bytes, offset, size)) return std::nullopt;
  return bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
}

/// The text up to a NUL that must follow within `limit` bytes; lives as long as `bytes`.
[[nodiscard]] inline std::optional<std::string_view> text_at(Bytes bytes, uint64_t offset,
                                                             size_t limit) {
  if (offset >= bytes.size()) return std::nullopt;
  const Bytes rest = bytes.subspan(static_cast<size_t>(offset));
  const size_t reach = rest.size() < limit ? rest.size() : limit;
  const void* end = std::memchr(rest.data(), 0, reach);
  if (end == nullptr) return std::nullopt;
  return std::string_view{reinterpret_cast<const char*>(rest.data()),
                          static_cast<size_t>(static_cast<const uint8_t*>(end) - rest.data())};
}

}  // namespace loader
