#include "images/firmware/fat.h"

#include <cstring>
#include <string>
#include <vector>

#include "images/boot/sha256.h"
#include "tests/support/catch.h"

namespace {

// A FAT16 volume with clusters of one sector: boot sector, one FAT of 32 sectors, 32 root entries,
// 8,000 clusters.
struct Disk {
  static constexpr uint32_t fat_sectors = 32, root_sector = 1 + fat_sectors,
                            data_sector = root_sector + 2, clusters = 8000;
  std::vector<uint8_t> bytes = std::vector<uint8_t>(size_t{data_sector + clusters} * 512);
  uint32_t reads{};

  Disk() {
    put<uint16_t>(11, 512);
    bytes[13] = 1;
    put<uint16_t>(14, 1);
    bytes[16] = 1;
    put<uint16_t>(17, 32);
    put<uint16_t>(19, static_cast<uint16_t>(data_sector + clusters));
    put<uint16_t>(22, fat_sectors);
    put<uint16_t>(510, 0xAA55);
  }
  template <class T>
  void put(size_t at, T value) {
    std::memcpy(&bytes[at], &value, sizeof value);
  }
  void link(uint32_t cluster, uint16_t next) { put<uint16_t>(512 + 2 * size_t{cluster}, next); }
  uint8_t* cluster(uint32_t n) { return &bytes[(data_sector + n - 2) * 512]; }

  // Writes a short entry, and a long name in front of it when one is given.
  size_t entry(size_t at, const char* short_name, uint8_t attributes, uint16_t first, uint32_t size,
               const char16_t* long_name = nullptr) {
    static constexpr uint8_t places[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    if (long_name != nullptr) {
      const size_t length = std::char_traits<char16_t>::length(long_name);
      const size_t pieces = (length + 12) / 13;
      for (size_t piece = pieces; piece-- > 0; at += 32) {
        bytes[at] = static_cast<uint8_t>((piece + 1) | (piece + 1 == pieces ? 0x40 : 0));
        bytes[at + 11] = 0x0F;
        for (size_t i = 0; i < 13; ++i) {
          const size_t n = piece * 13 + i;
          put<uint16_t>(at + places[i], n < length ? long_name[n] : n == length ? 0 : 0xFFFF);
        }
      }
    }
    std::memcpy(&bytes[at], short_name, 11);
    bytes[at + 11] = attributes;
    put<uint16_t>(at + 26, first);
    put<uint32_t>(at + 28, size);
    return at + 32;
  }
};

Disk* current_disk;

// \EFI\securekernel.exe: 1,300 bytes in clusters 5, 9, 6.
Disk sample() {
  Disk disk;
  disk.entry(Disk::root_sector * 512, "EFI        ", 0x10, 3, 0);
  disk.link(3, 0xFFFF);
  disk.entry(static_cast<size_t>(disk.cluster(3) - disk.bytes.data()), "SECURE~1EXE", 0x20, 5, 1300,
             u"SecureKernel.exe");
  disk.link(5, 9);
  disk.link(9, 6);
  disk.link(6, 0xFFF8);
  for (uint32_t i = 0; i < 1300; ++i) {
    const uint32_t chain[] = {5, 9, 6};
    disk.cluster(chain[i / 512])[i % 512] = static_cast<uint8_t>(i * 7);
  }
  return disk;
}

}  // namespace

namespace firmware {
// The disk of the tests, in place of ata.cpp.
bool disk_read(uint64_t sector, uint32_t count, void* buffer) {
  ++current_disk->reads;
  if ((sector + count) * 512 > current_disk->bytes.size()) return false;
  std::memcpy(buffer, &current_disk->bytes[sector * 512], size_t{count} * 512);
  return true;
}
}  // namespace firmware

TEST_CASE("a file with a long name is found without regard to case and read across its clusters") {
  Disk disk = sample();
  current_disk = &disk;
  REQUIRE(firmware::fat_mount());
  firmware::FatNode node;
  REQUIRE(firmware::fat_find(firmware::fat_root(), u"\\efi\\SECUREkernel.EXE", &node) == 1);
  EXPECT(node.size == 1300);
  std::vector<uint8_t> read(2000);
  REQUIRE(firmware::fat_read(node, 0, read.size(), read.data()) == 1300);
  for (uint32_t i = 0; i < 1300; ++i)
    REQUIRE(read[i] == static_cast<uint8_t>(i * 7));
  REQUIRE(firmware::fat_read(node, 1000, 100, read.data()) == 100);
  EXPECT(read[0] == static_cast<uint8_t>(1000 * 7));
  EXPECT(firmware::fat_read(node, 1300, 1, read.data()) == 0);
  EXPECT(firmware::fat_find(firmware::fat_root(), u"\\efi\\winload.efi", &node) == 0);
  EXPECT(firmware::fat_find(firmware::fat_root(), u"\\efi\\SECUREkernel.EXE\\x", &node) == 0);
}

TEST_CASE(
    "a cluster chain that ends early, leaves the volume or runs in a circle is damage, not data") {
  for (const uint16_t next :
       {uint16_t{0xFFFF}, uint16_t{1}, uint16_t{0}, uint16_t{0xF000}, uint16_t{5}}) {
    Disk disk = sample();
    disk.link(5, next);
    if (next == 5)
      disk.put<uint32_t>(static_cast<size_t>(disk.cluster(3) - disk.bytes.data()) + 64 + 28,
                         0xFFFFFFF0);
    current_disk = &disk;
    REQUIRE(firmware::fat_mount());
    firmware::FatNode node;
    REQUIRE(firmware::fat_find(firmware::fat_root(), u"\\EFI\\securekernel.exe", &node) == 1);
    std::vector<uint8_t> read(size_t{16} << 20);
    INFO("next cluster " << next);
    EXPECT(firmware::fat_read(node, 0, read.size(), read.data()) == -1);
  }
}

TEST_CASE("a boot sector whose numbers contradict each other is no volume") {
  struct Damage {
    size_t at;
    uint16_t value;
  };
  for (const Damage& damage : {Damage{11, 1024},
                               {13, 0x0103},
                               {13, 0x0100},
                               {14, 0},
                               {22, 0},
                               {22, 1},
                               {19, 10},
                               {510, 0}}) {
    Disk disk = sample();
    disk.put(damage.at, damage.value);
    current_disk = &disk;
    INFO("damage at " << damage.at);
    EXPECT(!firmware::fat_mount());
  }
}

TEST_CASE("SHA-256 of the boot images agrees with FIPS 180-4") {
  auto hex = [](const std::string& text) {
    boot::Sha256 hash;
    hash.update(text.data(), text.size());
    uint8_t digest[32];
    hash.finish(digest);
    std::string out;
    for (const uint8_t byte : digest)
      for (const int shift : {4, 0})
        out += "0123456789abcdef"[(byte >> shift) & 15];
    return out;
  };
  EXPECT(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT(hex(std::string(1000, 'a')) ==
         "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}
