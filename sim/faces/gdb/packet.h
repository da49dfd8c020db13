#pragma once
// The packets of gdb's remote protocol (GDB manual, appendix E.1): $data#checksum, and what stands between them.
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace faces::gdb {

/// Bytes of data that one packet may have, as told to the client; more than what gdb needs for all registers.
inline constexpr size_t maximum_packet = 0x4000;

/// Something a client sent.
struct Arrival {
  enum class Kind : uint8_t {
    Packet,     ///< `data`, with escapes taken out
    Ack,        ///< '+'
    Nak,        ///< '-': wants the last packet again
    Interrupt,  ///< 0x03 between packets
    Damaged,    ///< a packet whose checksum is wrong; `data` as it came
    TooLong,    ///< a packet of more than maximum_packet bytes; its data is dropped
  };
  Kind kind{};
  std::string data;
  friend bool operator==(const Arrival&, const Arrival&) = default;
};

/// Cuts a stream of bytes into what the client meant. Holds at most one unfinished packet and what was not taken yet.
class PacketReader {
 public:
  void add(std::string_view bytes);
  /// The next thing that is complete.
  [[nodiscard]] std::optional<Arrival> next();
  /// Bytes of complete things that wait for next().
  [[nodiscard]] size_t waiting() const { return waiting_; }

 private:
  enum class State : uint8_t { Between, Data, FirstDigit, SecondDigit };

  void add(char byte);
  void begin_packet();
  void add_data(char byte);
  void end_packet(char second_digit);
  void arrived(Arrival::Kind kind, std::string data = {});

  std::deque<Arrival> complete_;
  size_t waiting_{};
  std::string data_;
  State state_{State::Between};
  char first_digit_{};
  uint8_t sum_{};
  bool too_long_{};
};

/// A packet as it goes over the wire: escaped, runs shortened, framed.
[[nodiscard]] std::string frame(std::string_view data);
/// Data of a packet as the client sees it: runs expanded, escapes taken out. Nothing where a run or escape is broken,
/// or the result would be longer than `maximum`.
[[nodiscard]] std::optional<std::string> unpack_reply(std::string_view data, size_t maximum);

}  // namespace faces::gdb
