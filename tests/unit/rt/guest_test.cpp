// Runs the runtime as guest code: maps rt_selftest.dll at its preferred base and calls its exports in a bare engine.
#include "tests/support/catch.h"

#include <unicorn/unicorn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kStack = 0x10000;
constexpr std::uint64_t kStackSize = 0x20000;
constexpr std::uint64_t kData = 0x100000;
constexpr std::uint64_t kDataSize = 0x10000;
constexpr std::uint64_t kReturn = 0x200000;  // not mapped: reaching it ends the call

class Guest {
 public:
  Guest() {
    std::ifstream file{"guests/images/rt_selftest.dll", std::ios::binary};
    REQUIRE(file.is_open());
    file_ = Bytes{std::istreambuf_iterator<char>{file}, {}};
    REQUIRE(uc_open(UC_ARCH_X86, UC_MODE_64, &engine_) == UC_ERR_OK);
    REQUIRE(uc_mem_map(engine_, kStack, kStackSize, UC_PROT_ALL) == UC_ERR_OK);
    REQUIRE(uc_mem_map(engine_, kData, kDataSize, UC_PROT_ALL) == UC_ERR_OK);
    map_image();
    read_exports();
  }
  ~Guest() { uc_close(engine_); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  std::uint64_t address(const std::string& name) const { return base_ + exports_.at(name); }

  // Calls an export; returns RAX. Preserved registers and the direction flag are checked.
  std::uint64_t call(const std::string& name, std::array<std::uint64_t, 4> arguments = {}) {
    REQUIRE(start(name, arguments) == UC_ERR_OK);
    REQUIRE(read(UC_X86_REG_RIP) == kReturn);
    REQUIRE(read(UC_X86_REG_RSI) == 0x5151515151515151);
    REQUIRE(read(UC_X86_REG_RDI) == 0xD1D1D1D1D1D1D1D1);
    REQUIRE(read(UC_X86_REG_RBX) == 0xB1B1B1B1B1B1B1B1);
    REQUIRE((read(UC_X86_REG_EFLAGS) & 0x400) == 0);
    return read(UC_X86_REG_RAX);
  }
  uc_err start(const std::string& name, std::array<std::uint64_t, 4> arguments) {
    const std::uint64_t stack = kStack + kStackSize - 0x108;
    write(UC_X86_REG_RSP, stack);
    REQUIRE(uc_mem_write(engine_, stack, &kReturn, 8) == UC_ERR_OK);
    write(UC_X86_REG_RCX, arguments[0]);
    write(UC_X86_REG_RDX, arguments[1]);
    write(UC_X86_REG_R8, arguments[2]);
    write(UC_X86_REG_R9, arguments[3]);
    write(UC_X86_REG_RSI, 0x5151515151515151);
    write(UC_X86_REG_RDI, 0xD1D1D1D1D1D1D1D1);
    write(UC_X86_REG_RBX, 0xB1B1B1B1B1B1B1B1);
    return uc_emu_start(engine_, address(name), kReturn, 0, 0);
  }

  void put(std::uint64_t at, const Bytes& bytes) {
    REQUIRE(uc_mem_write(engine_, at, bytes.data(), bytes.size()) == UC_ERR_OK);
  }
  void put(std::uint64_t at, const std::string& text) {
    put(at, Bytes(text.c_str(), text.c_str() + text.size() + 1));
  }
  Bytes get(std::uint64_t at, std::size_t size) const {
    Bytes bytes(size);
    REQUIRE(uc_mem_read(engine_, at, bytes.data(), size) == UC_ERR_OK);
    return bytes;
  }

 private:
  template <typename T>
  T field(std::size_t at) const {
    REQUIRE(at + sizeof(T) <= file_.size());
    T value;
    std::memcpy(&value, file_.data() + at, sizeof value);
    return value;
  }
  void map_image() {
    const std::size_t nt = field<std::uint32_t>(0x3C);
    const std::size_t optional = nt + 24;
    base_ = field<std::uint64_t>(optional + 24);
    const std::uint64_t size = (field<std::uint32_t>(optional + 56) + 0xFFFu) & ~0xFFFull;
    REQUIRE(uc_mem_map(engine_, base_, size, UC_PROT_ALL) == UC_ERR_OK);
    const std::size_t sections = optional + field<std::uint16_t>(nt + 20);
    for (std::size_t i = 0; i < field<std::uint16_t>(nt + 6); ++i) {
      const std::size_t header = sections + 40 * i;
      const std::size_t bytes =
          std::min(field<std::uint32_t>(header + 8), field<std::uint32_t>(header + 16));
      const std::size_t from = field<std::uint32_t>(header + 20);
      REQUIRE(from + bytes <= file_.size());
      REQUIRE(uc_mem_write(engine_, base_ + field<std::uint32_t>(header + 12), file_.data() + from,
                           bytes) == UC_ERR_OK);
    }
    directory_ = base_ + field<std::uint32_t>(optional + 112);
  }
  void read_exports() {
    const auto word = [this](std::uint64_t at) {
      std::uint32_t value;
      REQUIRE(uc_mem_read(engine_, at, &value, 4) == UC_ERR_OK);
      return value;
    };
    for (std::uint32_t i = 0; i < word(directory_ + 24); ++i) {
      const Bytes name = get(base_ + word(base_ + word(directory_ + 32) + 4 * i), 32);
      const std::uint32_t ordinal = word(base_ + word(directory_ + 36) + 2 * i) & 0xFFFF;
      exports_[reinterpret_cast<const char*>(name.data())] =
          word(base_ + word(directory_ + 28) + 4 * ordinal);
    }
  }
  std::uint64_t read(int reg) const {
    std::uint64_t value = 0;
    REQUIRE(uc_reg_read(engine_, reg, &value) == UC_ERR_OK);
    return value;
  }
  void write(int reg, std::uint64_t value) {
    REQUIRE(uc_reg_write(engine_, reg, &value) == UC_ERR_OK);
  }

  uc_engine* engine_ = nullptr;
  Bytes file_;
  std::uint64_t base_ = 0;
  std::uint64_t directory_ = 0;
  std::map<std::string, std::uint32_t> exports_;
};

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 37 + 11);
  }
  return bytes;
}

}  // namespace

TEST_CASE("memcpy, memmove and memset agree with the host for every small size and overlap") {
  Guest guest;
  constexpr std::uint64_t kWindow = 96;
  for (std::uint64_t size = 0; size <= 33; ++size) {
    for (std::uint64_t to = 0; to <= 40; to += size % 3 + 1) {
      const std::uint64_t from = 20;
      const Bytes before = pattern(kWindow);
      Bytes expected = before;
      std::memmove(expected.data() + to, expected.data() + from, size);
      guest.put(kData, before);
      REQUIRE(guest.call("memmove", {kData + to, kData + from, size}) == kData + to);
      REQUIRE(guest.get(kData, kWindow) == expected);
      if (to + size <= from || from + size <= to) {
        guest.put(kData, before);
        REQUIRE(guest.call("memcpy", {kData + to, kData + from, size}) == kData + to);
        REQUIRE(guest.get(kData, kWindow) == expected);
      }
      expected = before;
      std::memset(expected.data() + to, 0x9C, size);
      guest.put(kData, before);
      REQUIRE(guest.call("memset", {kData + to, 0xABCD9C, size}) == kData + to);
      REQUIRE(guest.get(kData, kWindow) == expected);
    }
  }
}

TEST_CASE("memcmp has the sign of the first differing byte, wherever it is") {
  Guest guest;
  for (std::uint64_t size = 0; size <= 20; ++size) {
    Bytes left = pattern(size + 1);
    guest.put(kData, left);
    guest.put(kData + 0x1000, left);
    REQUIRE(guest.call("memcmp", {kData, kData + 0x1000, size}) << 32 == 0);
    for (std::uint64_t at = 0; at < size; ++at) {
      Bytes right = left;
      right[at] = static_cast<std::uint8_t>(right[at] ^
                                            0x80);  // makes it larger exactly if it was below 0x80
      guest.put(kData + 0x1000, right);
      const auto result =
          static_cast<std::int32_t>(guest.call("memcmp", {kData, kData + 0x1000, size}));
      REQUIRE((result < 0) == (left[at] < right[at]));
      REQUIRE(result != 0);
    }
  }
}

TEST_CASE("The string functions find, measure and compare as C says") {
  Guest guest;
  const std::uint64_t other = kData + 0x100;
  guest.put(kData, std::string{"lsaiso.exe"});
  guest.put(other, std::string{"iso"});
  REQUIRE(guest.call("strlen", {kData}) == 10);
  REQUIRE(guest.call("strstr", {kData, other}) == kData + 3);
  REQUIRE(guest.call("strchr", {kData, 's'}) == kData + 1);
  REQUIRE(guest.call("strrchr", {kData, 's'}) == kData + 4);
  REQUIRE(guest.call("strchr", {kData, 0}) == kData + 10);
  REQUIRE(guest.call("strchr", {kData, 'q'}) == 0);
  REQUIRE(guest.call("memchr", {kData, 'x', 10}) == kData + 8);
  REQUIRE(guest.call("memchr", {kData, 'x', 8}) == 0);
  REQUIRE(guest.call("memchr", {kData, 'x', 0}) == 0);
  guest.put(other, std::string{"lsaisO.exe"});
  REQUIRE(static_cast<std::int32_t>(guest.call("strcmp", {kData, other})) > 0);
  REQUIRE(static_cast<std::int32_t>(guest.call("strcmp", {other, kData})) < 0);
  REQUIRE(guest.call("strncmp", {kData, other, 5}) << 32 == 0);
  REQUIRE(guest.call("strcmp", {kData, kData}) << 32 == 0);
}

TEST_CASE("Static constructors run once, in order, and destructors never") {
  Guest guest;
  REQUIRE(guest.call("SelftestStatics") == 12);
}

TEST_CASE("A frame of five pages is probed and usable") {
  Guest guest;
  std::uint64_t expected = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    expected += (7 + i) & 0xFF;
  }
  REQUIRE(guest.call("SelftestLargeFrame", {7}) == expected);
}

TEST_CASE("The formatter prints the same as guest code") {
  Guest guest;
  const std::string expected = "guest 0xfffff80000400000 FFFFFFFF";
  REQUIRE(guest.call("SelftestPrint", {kData, 64}) == expected.size());
  REQUIRE(guest.get(kData, expected.size() + 1) ==
          Bytes(expected.c_str(), expected.c_str() + expected.size() + 1));
}

TEST_CASE("A panic calls the handler and then stops at an invalid opcode") {
  Guest guest;
  REQUIRE(guest.start("SelftestPanic", {}) == UC_ERR_INSN_INVALID);
  const Bytes text = guest.get(guest.address("SelftestPanicText"), 16);
  REQUIRE(std::string{reinterpret_cast<const char*>(text.data())} == "panic: as asked");
  REQUIRE(guest.start("SelftestPureCall", {}) == UC_ERR_INSN_INVALID);
}

TEST_CASE("libc++'s bounds checks are on in guests") {
  Guest guest;
  guest.put(kData, Bytes{1, 0, 0, 0, 2, 0, 0, 0});
  REQUIRE(guest.call("SelftestSpanBounds", {kData, 2, 1}) == 2);
  REQUIRE(guest.start("SelftestSpanBounds", {kData, 2, 2}) == UC_ERR_INSN_INVALID);
}
