#include "sim/faces/gdb/packet.h"

#include <numeric>

#include "sim/faces/gdb/hex.h"

namespace faces::gdb {
namespace {

constexpr char interrupt_byte = 3;
constexpr char escape = '}', run = '*';
constexpr char escape_bit = 0x20;

/// A run's byte is followed by `run` and this plus the number of repetitions.
constexpr size_t run_base = 29, shortest_run = 3, longest_run = 126 - run_base;

uint8_t checksum(std::string_view data) {
  return std::accumulate(data.begin(), data.end(), uint8_t{0}, [](uint8_t sum, char byte) {
    return static_cast<uint8_t>(sum + static_cast<uint8_t>(byte));
  });
}

std::string unescape(std::string_view data) {
  std::string plain;
  plain.reserve(data.size());
  for (size_t i = 0; i < data.size(); ++i) {
    if (data[i] == escape && i + 1 < data.size()) plain += static_cast<char>(data[++i] ^ escape_bit);
    else plain += data[i];
  }
  return plain;
}

std::string escaped(std::string_view data) {
  std::string result;
  result.reserve(data.size());
  for (const char byte : data) {
    if (byte == '#' || byte == '$' || byte == escape || byte == run) {
      result += escape;
      result += static_cast<char>(byte ^ escape_bit);
    } else {
      result += byte;
    }
  }
  return result;
}

/// Repetitions that a count can say: those whose character means something between packets cannot.
size_t sayable(size_t repetitions) {
  if (repetitions > longest_run) repetitions = longest_run;
  for (;; --repetitions) {
    const auto byte = static_cast<char>(repetitions + run_base);
    if (byte != '#' && byte != '$' && byte != '+' && byte != '-') return repetitions;
  }
}

/// Escaped data with its runs shortened. The second byte of an escape is never taken for the beginning of a run.
std::string shortened(std::string_view data) {
  std::string result;
  for (size_t i = 0; i < data.size();) {
    const char byte = data[i++];
    result += byte;
    if (byte == escape) {
      result += data[i++];
      continue;
    }
    size_t repetitions = 0;
    while (i + repetitions < data.size() && data[i + repetitions] == byte) ++repetitions;
    if (repetitions < shortest_run) continue;
    repetitions = sayable(repetitions);
    result += run;
    result += static_cast<char>(repetitions + run_base);
    i += repetitions;
  }
  return result;
}

}  // namespace

void PacketReader::add(std::string_view bytes) {
  for (const char byte : bytes) add(byte);
}

void PacketReader::add(char byte) {
  switch (state_) {
    case State::Between:
      if (byte == '$') begin_packet();
      else if (byte == '+') arrived(Arrival::Kind::Ack);
      else if (byte == '-') arrived(Arrival::Kind::Nak);
      else if (byte == interrupt_byte) arrived(Arrival::Kind::Interrupt);
      break;  // anything else between packets is noise
    case State::Data:
      if (byte == '#') state_ = State::FirstDigit;
      else if (byte == '$') begin_packet();  // the one before was cut off
      else add_data(byte);
      break;
    case State::FirstDigit:
      first_digit_ = byte;
      state_ = State::SecondDigit;
      break;
    case State::SecondDigit:
      end_packet(byte);
      state_ = State::Between;
      break;
  }
}

void PacketReader::begin_packet() {
  data_.clear();
  sum_ = 0;
  too_long_ = false;
  state_ = State::Data;
}

void PacketReader::add_data(char byte) {
  sum_ = static_cast<uint8_t>(sum_ + static_cast<uint8_t>(byte));
  if (data_.size() >= maximum_packet) too_long_ = true;
  else data_ += byte;
}

void PacketReader::end_packet(char second_digit) {
  const auto high = hex_digit(first_digit_), low = hex_digit(second_digit);
  if (!high || !low || *high * 16 + *low != sum_) arrived(Arrival::Kind::Damaged, std::move(data_));
  else if (too_long_) arrived(Arrival::Kind::TooLong);
  else arrived(Arrival::Kind::Packet, unescape(data_));
  data_.clear();
}

void PacketReader::arrived(Arrival::Kind kind, std::string data) {
  waiting_ += 1 + data.size();
  complete_.push_back({kind, std::move(data)});
}

std::optional<Arrival> PacketReader::next() {
  if (complete_.empty()) return std::nullopt;
  Arrival first = std::move(complete_.front());
  complete_.pop_front();
  waiting_ -= 1 + first.data.size();
  return first;
}

std::string frame(std::string_view data) {
  const std::string body = shortened(escaped(data));
  return "$" + body + "#" + hex_byte(checksum(body));
}

std::optional<std::string> unpack_reply(std::string_view data, size_t maximum) {
  std::string result;
  for (size_t i = 0; i < data.size(); ++i) {
    if (data[i] == run) {
      if (i + 1 >= data.size() || result.empty() || static_cast<uint8_t>(data[i + 1]) < run_base) return std::nullopt;
      result.append(static_cast<uint8_t>(data[++i]) - run_base, result.back());
    } else if (data[i] == escape) {
      if (i + 1 >= data.size()) return std::nullopt;
      result += static_cast<char>(data[++i] ^ escape_bit);
    } else {
      result += data[i];
    }
    if (result.size() > maximum) return std::nullopt;
  }
  return result;
}

}  // namespace faces::gdb
