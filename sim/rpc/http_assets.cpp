#include "sim/rpc/http_assets.h"

#include <algorithm>
#include <array>
#include <boost/beast/zlib/inflate_stream.hpp>
#include <boost/crc.hpp>
#include <cstdint>

namespace rpc {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// The part before `separator`, which is taken from `text` with it.
std::string_view next_part(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

/// "q=0", "q=0.000": not at all.
bool is_refusal(std::string_view weight) {
  return (weight.starts_with("q=0") || weight.starts_with("Q=0")) && weight.find_first_not_of("0.", 2) == std::string_view::npos;
}

bool is_word(std::string_view name, std::string_view word) {
  return std::equal(name.begin(), name.end(), word.begin(), word.end(), [](char a, char b) { return (a | 0x20) == b; });
}

uint32_t little_endian(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 4; i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

}  // namespace

bool accepts(std::string_view accept_encoding, std::string_view coding) {
  bool anything = false;
  while (!accept_encoding.empty()) {
    std::string_view item = next_part(accept_encoding, ',');
    const std::string_view name = next_part(item, ';');
    const bool accepted = !is_refusal(trimmed(item));
    if (is_word(name, coding)) return accepted;  // what is named goes before *
    if (name == "*") anything = accepted;
  }
  return anything;
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  if (etag.empty()) return false;
  while (!if_none_match.empty()) {
    std::string_view item = next_part(if_none_match, ',');
    if (item == "*") return true;
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item.size() == etag.size() + 2 && item.front() == '"' && item.back() == '"' && item.substr(1, etag.size()) == etag) return true;
  }
  return false;
}

std::string etag_header(std::string_view etag) { return "W/\"" + std::string{etag} + "\""; }

// Not zlib: Unicorn's archive has a function crc32 of its own, and the linker would take one of them for both.
std::optional<std::string> inflate_gzip(std::string_view compressed, size_t maximum) {
  namespace zlib = boost::beast::zlib;
  constexpr std::string_view no_name_no_extra{"\x1f\x8b\x08\x00", 4};  // RFC 1952: what `gzip -n` writes
  constexpr size_t head = 10, foot = 8;
  if (compressed.size() < head + foot || !compressed.starts_with(no_name_no_extra)) return std::nullopt;
  zlib::inflate_stream stream;
  zlib::z_params state{};
  state.next_in = compressed.data() + head;
  state.avail_in = compressed.size() - head - foot;
  std::string out;
  std::array<char, 16384> piece{};
  boost::beast::error_code error;
  while (!error && out.size() <= maximum) {
    state.next_out = piece.data();
    state.avail_out = piece.size();
    stream.write(state, zlib::Flush::sync, error);
    out.append(piece.data(), piece.size() - state.avail_out);
  }
  boost::crc_32_type crc;
  crc.process_bytes(out.data(), out.size());
  const std::string_view end = compressed.substr(compressed.size() - foot);
  const bool whole = error == zlib::error::end_of_stream && state.avail_in == 0 && little_endian(end) == crc.checksum() &&
                     little_endian(end.substr(4)) == static_cast<uint32_t>(out.size());
  if (!whole || out.size() > maximum) return std::nullopt;
  return out;
}

}  // namespace rpc
