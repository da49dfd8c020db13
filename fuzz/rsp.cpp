// gdb's remote protocol: any bytes are packets or noise, every packet has an answer that a client can read, and the
// session has no breakpoints left when the client is gone.
#include <cstdlib>

#include "sim/faces/gdb/image_file.h"
#include "sim/faces/gdb/packet.h"
#include "sim/faces/gdb/stub.h"
#include "tests/unit/faces/gdb_toy.h"

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void check_reply(const std::string& data) {
  require(data.size() <= 4 * faces::gdb::maximum_packet);
  const std::string wire = faces::gdb::frame(data);
  const auto body = std::string_view{wire}.substr(1, wire.size() - 4);
  require(faces::gdb::unpack_reply(body, data.size()) == data);
}

void talk(faces::gdb::Stub& stub, std::string_view bytes) {
  faces::gdb::PacketReader reader;
  constexpr size_t piece = 64;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    reader.add(bytes.substr(0, piece));
    while (const auto arrival = reader.next())
      if (arrival->kind == faces::gdb::Arrival::Kind::Packet || arrival->kind == faces::gdb::Arrival::Kind::Damaged)
        check_reply(stub.handle(arrival->data).data);  // checksums must not keep the fuzzer from commands
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  test::Toy toy;
  toy.branch = size % 2 != 0;
  const auto heard = [](std::string_view packet) { check_reply(std::string{packet}); };
  faces::gdb::Stub stub{toy.api(), {.vtl_is_process = size % 3 == 0}, heard};
  talk(stub, {reinterpret_cast<const char*>(data), size});
  stub.leave();
  require(toy.breakpoints.empty());
  // What a guest's memory says of its images reaches clients as files.
  const auto file = faces::gdb::as_file({data, data + size}, 0xfffff80000000000);
  require(!file || file->size() == size);
  return 0;
}
