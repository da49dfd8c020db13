#include "sim/faces/gdb/target_description.h"

#include <fmt/format.h>

#include <array>

namespace faces::gdb {
namespace {

constexpr RegisterRow general(std::string_view name, std::string_view type = "int64") {
  return {name, name, 64, type, "general"};
}
constexpr RegisterRow segment(std::string_view name) { return {name, name, 32, "int32", "general"}; }
constexpr RegisterRow system(std::string_view name, std::string_view source, std::string_view type = "int64") {
  return {name, source, 64, type, "system"};
}
constexpr RegisterRow x87(std::string_view name) { return {name, name, 80, "i387_ext", "float"}; }
constexpr RegisterRow x87_control(std::string_view name) { return {name, name, 32, "int", "float"}; }
constexpr RegisterRow vector(std::string_view name) { return {name, name, 128, "vec128", "vector"}; }
constexpr RegisterRow vsm(std::string_view name, uint16_t bits, std::string_view type) {
  return {name, "", bits, type, "vsm"};
}

constexpr RegisterRow rows[] = {
    general("rax"),
    general("rbx"),
    general("rcx"),
    general("rdx"),
    general("rsi"),
    general("rdi"),
    general("rbp", "data_ptr"),
    general("rsp", "data_ptr"),
    general("r8"),
    general("r9"),
    general("r10"),
    general("r11"),
    general("r12"),
    general("r13"),
    general("r14"),
    general("r15"),
    general("rip", "code_ptr"),
    {"eflags", "rflags", 32, "i386_eflags", "general"},
    segment("cs"),
    segment("ss"),
    segment("ds"),
    segment("es"),
    segment("fs"),
    segment("gs"),
    system("fs_base", "fs_base"),
    system("gs_base", "gs_base"),
    system("k_gs_base", "kernel_gs_base"),
    system("cr0", "cr0", "x64_cr0"),
    system("cr2", "cr2"),
    system("cr3", "cr3"),
    system("cr4", "cr4", "x64_cr4"),
    system("cr8", "cr8"),
    system("efer", "efer", "x64_efer"),
    x87("st0"),
    x87("st1"),
    x87("st2"),
    x87("st3"),
    x87("st4"),
    x87("st5"),
    x87("st6"),
    x87("st7"),
    x87_control("fctrl"),
    x87_control("fstat"),
    x87_control("ftag"),
    x87_control("fiseg"),
    x87_control("fioff"),
    x87_control("foseg"),
    x87_control("fooff"),
    x87_control("fop"),
    vector("xmm0"),
    vector("xmm1"),
    vector("xmm2"),
    vector("xmm3"),
    vector("xmm4"),
    vector("xmm5"),
    vector("xmm6"),
    vector("xmm7"),
    vector("xmm8"),
    vector("xmm9"),
    vector("xmm10"),
    vector("xmm11"),
    vector("xmm12"),
    vector("xmm13"),
    vector("xmm14"),
    vector("xmm15"),
    {"mxcsr", "mxcsr", 32, "int", "vector"},
    vsm("vtl", 32, "uint32"),
    vsm("vp", 32, "uint32"),
    vsm("instant", 64, "uint64"),
    vsm("instructions", 64, "uint64"),
};
constexpr size_t first_sse = 49, first_vsm = 66;
static_assert(rows[rbp_number].name == "rbp" && rows[rsp_number].name == "rsp" && rows[rip_number].name == "rip");
static_assert(rows[first_sse].name == "xmm0" && rows[first_vsm].name == "vtl");

struct Flag {
  std::string_view name;
  uint8_t bit;
};

void add_flags(std::string& xml, std::string_view id, unsigned bytes, std::span<const Flag> flags) {
  xml += fmt::format("<flags id=\"{}\" size=\"{}\">", id, bytes);
  for (const Flag& flag : flags)
    xml += fmt::format("<field name=\"{}\" start=\"{}\" end=\"{}\"/>", flag.name, flag.bit, flag.bit);
  xml += "</flags>\n";
}

/// Intel SDM volume 3, 2.3 and 2.5; volume 4 for IA32_EFER.
void add_flag_types(std::string& xml) {
  constexpr Flag eflags[] = {{"CF", 0},  {"", 1},    {"PF", 2},   {"AF", 4},   {"ZF", 6},  {"SF", 7},
                             {"TF", 8},  {"IF", 9},  {"DF", 10},  {"OF", 11},  {"NT", 14}, {"RF", 16},
                             {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}};
  constexpr Flag cr0[] = {{"PE", 0}, {"MP", 1}, {"EM", 2}, {"TS", 3}, {"ET", 4}, {"NE", 5}, {"WP", 16}, {"AM", 18},
                          {"NW", 29}, {"CD", 30}, {"PG", 31}};
  constexpr Flag cr4[] = {{"VME", 0},         {"PVI", 1},    {"TSD", 2},      {"DE", 3},    {"PSE", 4},
                          {"PAE", 5},         {"MCE", 6},    {"PGE", 7},      {"PCE", 8},   {"OSFXSR", 9},
                          {"OSXMMEXCPT", 10}, {"UMIP", 11},  {"LA57", 12},    {"VMXE", 13}, {"SMXE", 14},
                          {"FSGSBASE", 16},   {"PCIDE", 17}, {"OSXSAVE", 18}, {"SMEP", 20}, {"SMAP", 21},
                          {"PKE", 22},        {"CET", 23}};
  constexpr Flag efer[] = {{"SCE", 0}, {"LME", 8}, {"LMA", 10}, {"NXE", 11}};
  add_flags(xml, "i386_eflags", 4, eflags);
  add_flags(xml, "x64_cr0", 8, cr0);
  add_flags(xml, "x64_cr4", 8, cr4);
  add_flags(xml, "x64_efer", 8, efer);
}

void add_registers(std::string& xml, size_t from, size_t to) {
  for (size_t number = from; number < to; ++number) {
    const RegisterRow& row = rows[number];
    xml += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\" regnum=\"{}\" group=\"{}\"/>\n", row.name, row.bits,
                       row.type, number, row.group);
  }
}

}  // namespace

std::span<const RegisterRow> registers() { return rows; }

bool is_vsm_register(size_t number) { return number >= first_vsm; }

std::string target_xml() {
  std::string xml =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
      "<architecture>i386:x86-64</architecture>\n<osabi>none</osabi>\n<feature name=\"org.gnu.gdb.i386.core\">\n";
  add_flag_types(xml);
  add_registers(xml, 0, first_sse);
  xml +=
      "</feature>\n<feature name=\"org.gnu.gdb.i386.sse\">\n<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n"
      "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n"
      "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n"
      "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
      "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
      "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" "
      "type=\"v4i32\"/>"
      "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>\n";
  add_registers(xml, first_sse, first_vsm);
  xml += fmt::format("</feature>\n<feature name=\"{}\">\n", vsm_feature);
  add_registers(xml, first_vsm, std::size(rows));
  return xml + "</feature>\n</target>\n";
}

std::string memory_map_xml() {
  return "<?xml version=\"1.0\"?>\n<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
         "\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
         "<memory-map><memory type=\"ram\" start=\"0x0\" length=\"0xffffffffffffffff\"/></memory-map>\n";
}

std::string xml_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '\'': result += "&apos;"; break;
      case '"': result += "&quot;"; break;
      default: result += c >= ' ' && c != 0x7f ? c : '?';
    }
  }
  return result;
}

}  // namespace faces::gdb
