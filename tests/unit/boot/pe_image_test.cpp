#include "boot/pe_image.h"

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace {

constexpr uint64_t preferred_base = 0x180000000;
constexpr uint32_t text_rva = 0x1000, data_rva = 0x2000, image_size = 0x3000;
constexpr uint32_t export_rva = 0x2100, import_rva = 0x2200, relocation_rva = 0x2300;

template <class T>
void put(std::vector<uint8_t>& bytes, size_t at, T value) {
  std::memcpy(&bytes[at], &value, sizeof value);
}
template <class T>
T get(const std::vector<uint8_t>& bytes, size_t at) {
  T value;
  std::memcpy(&value, &bytes[at], sizeof value);
  return value;
}

void put_text(std::vector<uint8_t>& bytes, size_t at, const char* text) {
  std::memcpy(&bytes[at], text, std::strlen(text) + 1);
}

// A DLL that exports `Twice` and imports `Once` from OTHER.dll; file pages are memory pages.
std::vector<uint8_t> make_image() {
  std::vector<uint8_t> f(image_size);
  put<uint16_t>(f, 0, 0x5A4D);
  put<uint32_t>(f, 0x3C, 0x80);
  put<uint32_t>(f, 0x80, 0x4550);
  put<uint16_t>(f, 0x84, 0x8664);
  put<uint16_t>(f, 0x86, 2);    // sections
  put<uint16_t>(f, 0x94, 240);  // optional header
  const size_t optional = 0x98;
  put<uint16_t>(f, optional, 0x20B);
  put<uint32_t>(f, optional + 16, text_rva);
  put<uint64_t>(f, optional + 24, preferred_base);
  put<uint32_t>(f, optional + 32, 4096);
  put<uint32_t>(f, optional + 36, 4096);
  put<uint32_t>(f, optional + 56, image_size);
  put<uint32_t>(f, optional + 60, 0x1000);
  put<uint32_t>(f, optional + 108, 16);
  auto directory = [&](int index, uint32_t rva, uint32_t size) {
    put<uint32_t>(f, optional + 112 + 8 * static_cast<size_t>(index), rva);
    put<uint32_t>(f, optional + 116 + 8 * static_cast<size_t>(index), size);
  };
  directory(0, export_rva, 0x80);
  directory(1, import_rva, 40);
  directory(5, relocation_rva, 12);
  const size_t sections = optional + 240;
  auto section = [&](size_t index, uint32_t rva, uint32_t flags) {
    const size_t at = sections + 40 * index;
    put<uint32_t>(f, at + 8, 0x1000);
    put<uint32_t>(f, at + 12, rva);
    put<uint32_t>(f, at + 16, 0x1000);
    put<uint32_t>(f, at + 20, rva);
    put<uint32_t>(f, at + 36, flags);
  };
  section(0, text_rva, 0x60000020);
  section(1, data_rva, 0xC0000040);

  put<uint64_t>(f, data_rva, preferred_base + text_rva);  // the one pointer that a relocation moves
  put<uint32_t>(f, relocation_rva, data_rva);
  put<uint32_t>(f, relocation_rva + 4, 12);
  put<uint16_t>(f, relocation_rva + 8, 0xA000);

  put<uint32_t>(f, export_rva + 20, 1);
  put<uint32_t>(f, export_rva + 24, 1);
  put<uint32_t>(f, export_rva + 28, export_rva + 0x28);
  put<uint32_t>(f, export_rva + 32, export_rva + 0x2C);
  put<uint32_t>(f, export_rva + 36, export_rva + 0x30);
  put<uint32_t>(f, export_rva + 0x28, text_rva + 0x10);
  put<uint32_t>(f, export_rva + 0x2C, export_rva + 0x34);
  put_text(f, export_rva + 0x34, "Twice");

  put<uint32_t>(f, import_rva, import_rva + 0x40);
  put<uint32_t>(f, import_rva + 12, import_rva + 0x70);
  put<uint32_t>(f, import_rva + 16, import_rva + 0x50);
  put<uint64_t>(f, import_rva + 0x40, import_rva + 0x60);
  put<uint64_t>(f, import_rva + 0x50, import_rva + 0x60);
  put_text(f, import_rva + 0x62, "Twice");
  put_text(f, import_rva + 0x70, "OTHER.dll");
  return f;
}

class Modules final : public pe::ModuleProvider {
 public:
  std::map<std::string, pe::Module> known;
  bool find(const char* name, pe::Module& module) override {
    for (const auto& [candidate, found] : known) {
      if (!pe::equal_ignoring_case(candidate.c_str(), name)) continue;
      module = found;
      return true;
    }
    return false;
  }
};

}  // namespace

TEST_CASE("an image is mapped, relocated and bound to itself under another name") {
  const auto file = make_image();
  pe::Headers headers;
  REQUIRE(pe::read_headers(file.data(), file.size(), headers) == pe::Status::Ok);
  EXPECT(headers.entry_rva == text_rva);
  EXPECT(headers.section_count == 2);
  std::vector<uint8_t> image(headers.image_size, 0xEE);
  pe::map_sections(headers, file.data(), image.data());
  REQUIRE(pe::relocate(headers, image.data(), preferred_base + 0x10000) == pe::Status::Ok);
  EXPECT(get<uint64_t>(image, data_rva) == preferred_base + 0x10000 + text_rva);
  EXPECT(pe::find_export(image.data(), image.size(), "Twice") == text_rva + 0x10);
  EXPECT(pe::find_export(image.data(), image.size(), "Thrice") == 0);

  Modules modules;
  modules.known["other.DLL"] = {image.data(), image.size(), 0x7000'0000};
  pe::BindFailure failure;
  REQUIRE(pe::bind_imports(headers, image.data(), modules, failure) == pe::Status::Ok);
  EXPECT(get<uint64_t>(image, import_rva + 0x50) == 0x7000'0000 + text_rva + 0x10);
}

TEST_CASE("what cannot be bound is named") {
  auto file = make_image();
  pe::Headers headers;
  REQUIRE(pe::read_headers(file.data(), file.size(), headers) == pe::Status::Ok);
  Modules modules;
  pe::BindFailure failure;
  EXPECT(pe::bind_imports(headers, file.data(), modules, failure) == pe::Status::MissingModule);
  EXPECT(std::string{failure.module} == "OTHER.dll");
  const auto other = make_image();
  modules.known["OTHER.dll"] = {other.data(), other.size(), 0};
  put_text(file, import_rva + 0x62, "Never");
  EXPECT(pe::bind_imports(headers, file.data(), modules, failure) == pe::Status::MissingExport);
  EXPECT(std::string{failure.symbol} == "Never");
}

TEST_CASE("each contradiction in the headers is refused by its own status") {
  struct Damage {
    size_t at;
    uint32_t value;
    pe::Status expected;
  };
  const size_t optional = 0x98, first_section = optional + 240;
  const Damage damages[] = {
      {0x3C, 0xFFFFFFF0, pe::Status::NotPe},
      {0x84, 0x014C, pe::Status::NotPe},                // i386
      {optional + 56, 0x2000, pe::Status::BadHeaders},  // directories outside the image
      {first_section + 40 + 8, 0x1001,
       pe::Status::BadSection},                              // the second section leaves the image
      {optional + 60, 0x10000, pe::Status::BadHeaders},      // headers larger than the file
      {optional + 16, image_size, pe::Status::BadHeaders},   // entry outside
      {optional + 116, 0xFFFFFFFF, pe::Status::BadHeaders},  // export directory outside
      {first_section + 20, 0xFFFFF000, pe::Status::BadSection},
      {first_section + 36, 0xE0000020, pe::Status::BadSection},  // writable and executable
      {first_section + 12, 0, pe::Status::BadSection},           // over the headers
  };
  for (const Damage& damage : damages) {
    auto file = make_image();
    put(file, damage.at, damage.value);
    pe::Headers headers;
    INFO("damage at " << damage.at);
    EXPECT(pe::read_headers(file.data(), file.size(), headers) == damage.expected);
  }
}

TEST_CASE("a relocation block that points outside or is malformed is refused") {
  for (const auto& [at, value] : {std::pair<size_t, uint32_t>{relocation_rva, 0xFFFFF000},
                                  {relocation_rva + 4, 4},
                                  {relocation_rva + 4, 0x1000},
                                  {relocation_rva + 8, 0x3000}}) {
    auto file = make_image();
    put(file, at, value);
    pe::Headers headers;
    REQUIRE(pe::read_headers(file.data(), file.size(), headers) == pe::Status::Ok);
    EXPECT(pe::relocate(headers, file.data(), preferred_base + 0x1000) ==
           pe::Status::BadRelocation);
  }
}

TEST_CASE("no single damaged word makes the reader leave its buffer") {
  const auto good = make_image();
  const uint32_t values[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x2FFF, 0x3000};
  for (size_t at = 0; at + 4 <= good.size(); at += at < 0x400 || at >= data_rva ? 2 : 0x100) {
    for (const uint32_t value : values) {
      auto file = good;
      put(file, at, value);
      pe::Headers headers;
      if (pe::read_headers(file.data(), file.size(), headers) != pe::Status::Ok) continue;
      std::vector<uint8_t> image(headers.image_size);
      pe::map_sections(headers, file.data(), image.data());
      (void)pe::relocate(headers, image.data(), preferred_base + 0x1000);
      (void)pe::find_export(image.data(), image.size(), "Twice");
      Modules modules;
      modules.known["OTHER.dll"] = {good.data(), good.size(), 0};
      pe::BindFailure failure;
      (void)pe::bind_imports(headers, image.data(), modules, failure);
    }
  }
  SUCCEED();
}
