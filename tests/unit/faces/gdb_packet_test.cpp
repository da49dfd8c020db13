// The packet layer: what a stream of bytes means, and how answers look on the wire.
#include "sim/faces/gdb/packet.h"

#include "sim/faces/gdb/hex.h"
#include "sim/support/prng.h"
#include "tests/support/catch.h"

namespace {

using faces::gdb::Arrival;
using faces::gdb::frame;
using faces::gdb::PacketReader;
using Kind = faces::gdb::Arrival::Kind;

std::vector<Arrival> read(PacketReader& reader, std::string_view bytes) {
  reader.add(bytes);
  std::vector<Arrival> all;
  while (auto arrival = reader.next()) all.push_back(std::move(*arrival));
  return all;
}

std::vector<Arrival> read(std::string_view bytes) {
  PacketReader reader;
  return read(reader, bytes);
}

/// A packet as a client sends it: neither shortened nor escaped.
std::string plain(std::string_view data) {
  uint8_t sum = 0;
  for (const char c : data) sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(c));
  return "$" + std::string{data} + "#" + faces::gdb::hex_byte(sum);
}

}  // namespace

TEST_CASE("a stream of bytes is cut into packets and what stands between them", "[gdb]") {
  struct Row {
    std::string bytes;
    std::vector<Arrival> arrivals;
  };
  const Row row = GENERATE(values<Row>({
      {"$OK#9a", {{Kind::Packet, "OK"}}},
      {"$OK#9A", {{Kind::Packet, "OK"}}},
      {"$#00", {{Kind::Packet, ""}}},
      {"+-\x03", {{Kind::Ack, ""}, {Kind::Nak, ""}, {Kind::Interrupt, ""}}},
      {"noise$g#67more", {{Kind::Packet, "g"}}},
      {"$OK#9b", {{Kind::Damaged, "OK"}}},
      {"$OK#zz", {{Kind::Damaged, "OK"}}},
      {"$cut$g#67", {{Kind::Packet, "g"}}},                       // a packet that begins inside of another ends that
      {plain("a}\x03}\x04}]}\x0a"), {{Kind::Packet, "a#$}*"}}},
      {plain("X\x03"), {{Kind::Packet, "X\x03"}}},                // no interrupt inside of a packet
      {plain("a*\""), {{Kind::Packet, "a*\""}}},                  // clients do not shorten
  }));
  CAPTURE(row.bytes);
  EXPECT(read(row.bytes) == row.arrivals);
}

TEST_CASE("it does not matter where the stream is cut", "[gdb]") {
  PacketReader reader;
  std::vector<Arrival> all;
  for (const char byte : "+" + plain("m100,4") + "\x03-" + plain("vCont;s:1;c"))
    for (Arrival& arrival : read(reader, std::string(1, byte))) all.push_back(std::move(arrival));
  EXPECT(all == std::vector<Arrival>{{Kind::Ack, ""},
                                     {Kind::Packet, "m100,4"},
                                     {Kind::Interrupt, ""},
                                     {Kind::Nak, ""},
                                     {Kind::Packet, "vCont;s:1;c"}});
}

TEST_CASE("a packet that is too long is dropped, and the next one is read", "[gdb]") {
  PacketReader reader;
  const std::string body(faces::gdb::maximum_packet, 'a');
  EXPECT(read(reader, plain(body)) == std::vector<Arrival>{{Kind::Packet, body}});
  EXPECT(read(reader, plain(body + "a")) == std::vector<Arrival>{{Kind::TooLong, ""}});
  EXPECT(read(reader, "$g#67") == std::vector<Arrival>{{Kind::Packet, "g"}});
}

TEST_CASE("answers are shortened and escaped as the manual shows", "[gdb]") {
  EXPECT(frame("") == "$#00");
  EXPECT(frame("OK") == "$OK#9a");
  EXPECT(frame("0000") == "$0* #7a");  // the manual's example
  EXPECT(frame("a#") == plain("a}\x03"));
  EXPECT(frame("000") == plain("000"));  // not worth it
  for (const size_t length : {7u, 8u, 15u, 17u}) { // whose counts would be # $ + -
    const std::string wire = frame(std::string(length, 'x'));
    CAPTURE(wire);
    EXPECT(wire.substr(1, wire.size() - 4).find_first_of("#$+-") == std::string::npos);
  }
}

TEST_CASE("whatever is sent arrives as it was", "[gdb]") {
  const uint64_t seed = GENERATE(range(uint64_t{1}, uint64_t{50}));
  CAPTURE(seed);
  support::Prng random{seed};
  std::string data;
  const size_t length = random.below(3000);
  while (data.size() < length) {
    constexpr std::string_view letters = "0f#$}*+-x\x03\n";
    const char byte = random.one_in(4) ? static_cast<char>(random.next()) : letters[random.below(letters.size())];
    data.append(random.one_in(3) ? random.below(250) : 1, byte);
  }
  const std::string wire = frame(data);
  const auto body = std::string_view{wire}.substr(1, wire.size() - 4);
  EXPECT(body.find_first_of("#$") == std::string_view::npos);
  EXPECT(faces::gdb::unpack_reply(body, 1 << 20) == data);
  const auto arrivals = read(wire);
  REQUIRE(arrivals.size() == 1);
  EXPECT(arrivals.front().kind != Kind::Damaged);
}

TEST_CASE("a broken answer is none", "[gdb]") {
  for (const std::string_view broken : {"*!", "a*", "a}", "a*\x01"}) EXPECT(!faces::gdb::unpack_reply(broken, 100));
  EXPECT(!faces::gdb::unpack_reply("a*~", 50));
}

TEST_CASE("numbers and bytes are hexadecimal and nothing else", "[gdb]") {
  EXPECT(faces::gdb::number_from_hex("fffff80000001000") == 0xfffff80000001000);
  for (const std::string_view bad : {"", "g", "0x1", " 1", "11111111111111111", "-1"})
    EXPECT(!faces::gdb::number_from_hex(bad));
  EXPECT(faces::gdb::text_from_hex("68656C6c6f") == "hello");
  for (const std::string_view bad : {"6", "6g", "zz"}) EXPECT(!faces::gdb::from_hex(bad));
}
