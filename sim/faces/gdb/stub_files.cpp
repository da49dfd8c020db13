// Documents that clients transfer, and the door to files.
#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/gdb/image_file.h"
#include "sim/faces/gdb/packet.h"
#include "sim/faces/gdb/stub.h"
#include "sim/faces/gdb/target_description.h"

namespace faces::gdb {

Reply Stub::file(std::string_view rest) { return files_.answer(rest); }

/// object:read:annex:offset,length
Reply Stub::transfer(std::string_view rest) {
  Fields fields{rest};
  const std::string_view object = fields.until(':'), operation = fields.until(':'), annex = fields.until(':');
  const auto offset = fields.number_until(','), length = fields.number_until(',');
  if (operation != "read") return "";
  if (!offset || !length) return "E00";
  const std::string name = fmt::format("{}:{}", object, annex);
  if (*offset == 0 || name != document_name_) {  // made once, so that its pieces fit together
    const auto made = document(object, annex);
    if (!made) return made.error().code == rpc::Code::MethodNotFound ? Reply{""} : Reply{"E00"};
    document_ = made.value();
    document_name_ = name;
  }
  if (*offset > document_.size()) return "E01";
  const std::string_view piece =
      std::string_view{document_}.substr(*offset, std::min<uint64_t>(*length, maximum_packet / 2));
  return (*offset + piece.size() < document_.size() ? "m" : "l") + std::string{piece};
}

Answered<std::string> Stub::document(std::string_view object, std::string_view annex) {
  if (object == "features") {
    if (annex == "target.xml") return target_xml();
    return Refusal{rpc::Code::NotThere, "only target.xml describes this target"};
  }
  if (object == "memory-map") return memory_map_xml();
  if (object == "threads") return threads_xml();
  if (object == "libraries") return libraries_xml();
  if (object == "exec-file") return std::string{symbol_file_path};
  return Refusal{rpc::Code::MethodNotFound, "there is no such object"};
}

/// lldb would load what it is told here as ELF; it takes our PE files by hand.
Answered<std::string> Stub::libraries_xml() {
  std::string xml = "<library-list version=\"1.0\">\n";
  if (!lldb_) {
    const auto modules = TRY(target_.modules(target_.stop().thread));
    for (const Module& module : modules) {
      const auto address = first_section_address(target_, module);
      if (!address) continue;  // unloaded, or of a process that is gone
      xml += fmt::format("<library name=\"{}\"><segment address=\"{:#x}\"/></library>\n", xml_text(image_path(module)),
                         *address);
    }
  }
  return xml + "</library-list>\n";
}

}  // namespace faces::gdb
