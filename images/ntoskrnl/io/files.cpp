#include <string.h>

#include "boot/debug.h"
#include "boot/pe_image.h"
#include "io/io.h"

BOOT_FILE IoFindBootFile(const char* name) {
  const auto* head = &KeLoaderBlock->boot_file_list;
  for (auto e = reinterpret_cast<const abi::boot::ListEntry*>(head->flink); e != head;
       e = reinterpret_cast<const abi::boot::ListEntry*>(e->flink)) {
    const auto* file = reinterpret_cast<const abi::boot::BootFile*>(e);
    const char* leaf = strrchr(file->path, '\\');
    if (leaf != nullptr && pe::equal_ignoring_case(leaf + 1, name))
      return {reinterpret_cast<const void*>(file->data), file->size};
  }
  return {};
}

void DbgPrintText(std::string_view text) {
  constexpr uint16_t com1 = 0x3F8;
  for (char c : text)
    arch::out8(com1, static_cast<uint8_t>(c));
  boot::announce_text(abi::boot::DebugEvent::Print, text);
}

void DbgPrint(const char* text) {
  DbgPrintText(text);
}
