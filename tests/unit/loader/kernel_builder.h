#pragma once
// Small kernels, byte by byte, for tests that then spoil them.
#include <cstdint>
#include <cstring>
#include <vector>

namespace test {

template <class T>
void put(std::vector<uint8_t>& bytes, size_t at, T value) {
  if (bytes.size() < at + sizeof value) bytes.resize(at + sizeof value);
  std::memcpy(&bytes[at], &value, sizeof value);
}

inline void put_multiboot_header(std::vector<uint8_t>& bytes, size_t at, uint32_t flags) {
  put<uint32_t>(bytes, at, 0x1badb002);
  put<uint32_t>(bytes, at + 4, flags);
  put<uint32_t>(bytes, at + 8, 0u - 0x1badb002u - flags);
}

/// One segment of 0x40 bytes at `physical`, 0x1000 in memory; the entry is its byte 0x20, as a virtual address.
inline std::vector<uint8_t> elf32(uint32_t physical = 0x100000, uint32_t virtual_address = 0x100000) {
  std::vector<uint8_t> bytes{0x7f, 'E', 'L', 'F', 1, 1, 1};
  put<uint16_t>(bytes, 16, 2);
  put<uint16_t>(bytes, 18, 3);
  put<uint32_t>(bytes, 24, virtual_address + 0x20);
  put<uint32_t>(bytes, 28, 52);
  put<uint16_t>(bytes, 42, 32);
  put<uint16_t>(bytes, 44, 1);
  put<uint32_t>(bytes, 52, 1);
  put<uint32_t>(bytes, 56, 0x80);
  put<uint32_t>(bytes, 60, virtual_address);
  put<uint32_t>(bytes, 64, physical);
  put<uint32_t>(bytes, 68, 0x40);
  put<uint32_t>(bytes, 72, 0x1000);
  put_multiboot_header(bytes, 0x80, 0);
  bytes.resize(0xc0);
  bytes[0xa0] = 0xf4;
  return bytes;
}

inline std::vector<uint8_t> elf64(uint64_t physical = 0x100000, uint64_t virtual_address = 0xffffffff80100000) {
  std::vector<uint8_t> bytes{0x7f, 'E', 'L', 'F', 2, 1, 1};
  put<uint16_t>(bytes, 16, 2);
  put<uint16_t>(bytes, 18, 62);
  put<uint64_t>(bytes, 24, virtual_address + 0x20);
  put<uint64_t>(bytes, 32, 64);
  put<uint16_t>(bytes, 54, 56);
  put<uint16_t>(bytes, 56, 1);
  put<uint32_t>(bytes, 64, 1);
  put<uint64_t>(bytes, 72, 0x80);
  put<uint64_t>(bytes, 80, virtual_address);
  put<uint64_t>(bytes, 88, physical);
  put<uint64_t>(bytes, 96, 0x40);
  put<uint64_t>(bytes, 104, 0x1000);
  put_multiboot_header(bytes, 0x80, 3);
  bytes.resize(0xc0);
  bytes[0xa0] = 0xf4;
  return bytes;
}

/// 0x100 bytes whose Multiboot header, at 0x10, loads them from its own place on to 0x200000 + 0x10.
inline std::vector<uint8_t> flat() {
  std::vector<uint8_t> bytes;
  put_multiboot_header(bytes, 0x10, 1u << 16);
  put<uint32_t>(bytes, 0x1c, 0x200010);
  put<uint32_t>(bytes, 0x20, 0x200000);
  put<uint32_t>(bytes, 0x24, 0x200080);
  put<uint32_t>(bytes, 0x28, 0x203000);
  put<uint32_t>(bytes, 0x2c, 0x200040);
  bytes.resize(0x100);
  return bytes;
}

}  // namespace test
