// Files for a browser: compressed, not twice, and by their names.
#include "sim/rpc/http_assets.h"

#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>

#include "sim/rpc/dispatcher.h"
#include "sim/rpc/http_server.h"
#include "tests/support/catch.h"

namespace {

const std::string token = "00112233445566778899aabbccddeeff";
const std::string page = "<!doctype html><p>hello hello hello hello hello hello";

std::string little_endian(size_t number) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

/// As `gzip -n` makes it.
std::string gzip(const std::string& text) {
  boost::beast::zlib::deflate_stream stream;
  std::string out(stream.upper_bound(text.size()), '\0');
  boost::beast::zlib::z_params state{};
  state.next_in = text.data();
  state.avail_in = text.size();
  state.next_out = out.data();
  state.avail_out = out.size();
  boost::beast::error_code error;
  stream.write(state, boost::beast::zlib::Flush::finish, error);
  REQUIRE(error == boost::beast::zlib::error::end_of_stream);
  out.resize(state.total_out);
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return std::string("\x1f\x8b\x08\0\0\0\0\0\2\3", 10) + out + little_endian(crc.checksum()) + little_endian(text.size());
}

std::optional<rpc::HttpAsset> assets(std::string_view path) {
  if (path == "/") return rpc::HttpAsset{.content_type = "text/html", .body = gzip(page), .etag = "abc", .gzip = true};
  if (path == "/assets/x-01234567.js") return rpc::HttpAsset{.content_type = "text/javascript", .body = "1", .etag = "def", .immutable = true};
  if (path == "/plain") return rpc::HttpAsset{.content_type = "text/plain", .body = "as it is"};
  if (path == "/twice") return rpc::HttpAsset{.content_type = "text/html", .body = gzip(page), .etag = "ghi", .brotli = "as brotli", .gzip = true};
  if (path == "/damaged") return rpc::HttpAsset{.content_type = "text/plain", .body = "no gzip", .etag = "0", .gzip = true};
  return std::nullopt;
}

/// What the server answers to one request.
std::string answer(std::string_view line, std::string_view headers = "") {
  rpc::Dispatcher dispatcher{[] {}};
  const std::string bytes = std::string{line} + " HTTP/1.1\r\nHost: localhost:8080\r\n" + std::string{headers} + "\r\n";
  return rpc::answer_bytes(dispatcher, rpc::HttpGate{8080, token}, {}, bytes, assets);
}
bool accepts_gzip(std::string_view header) { return rpc::accepts(header, "gzip"); }
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("a page is sent compressed to who takes that, and whole to others", "[rpc][http]") {
  const std::string small = answer("GET /", "Accept-Encoding: br, gzip\r\n"), whole = answer("GET /?x=1");
  EXPECT(has(small, "Content-Encoding: gzip\r\n"));
  EXPECT(rpc::inflate_gzip(body_of(small), 1000) == page);
  EXPECT(!has(whole, "Content-Encoding"));
  EXPECT(body_of(whole) == page);
  for (const std::string& response : {small, whole})
    for (const char* header : {"HTTP/1.1 200", "Vary: Accept-Encoding\r\n", "ETag: W/\"abc\"\r\n", "Cache-Control: no-cache\r\n", "Content-Type: text/html\r\n",
                               "Content-Security-Policy: default-src 'self'", "X-Content-Type-Options: nosniff"})
      EXPECT(has(response, header));
}

TEST_CASE("what a browser has is not sent again", "[rpc][http]") {
  const std::string same = answer("GET /", "If-None-Match: \"x\", W/\"abc\"\r\nAccept-Encoding: gzip\r\n");
  EXPECT(has(same, "HTTP/1.1 304"));
  EXPECT(has(same, "ETag: W/\"abc\"\r\n"));
  EXPECT(has(same, "Content-Security-Policy"));
  EXPECT(body_of(same).empty());
  EXPECT(has(answer("GET /", "If-None-Match: \"abd\"\r\n"), "HTTP/1.1 200"));
  EXPECT(has(answer("GET /plain", "If-None-Match: *\r\n"), "HTTP/1.1 200"));
}

TEST_CASE("a name with a hash may be kept for ever, what has no ETag never", "[rpc][http]") {
  EXPECT(has(answer("GET /assets/x-01234567.js"), "Cache-Control: public, max-age=31536000, immutable\r\n"));
  EXPECT(has(answer("GET /plain"), "Cache-Control: no-store\r\n"));
  EXPECT(has(answer("GET /none"), "Cache-Control: no-store\r\n"));
}

TEST_CASE("HEAD says what GET would", "[rpc][http]") {
  for (const char* path : {"/", "/plain", "/none", "/damaged"})
    for (const char* headers : {"", "Accept-Encoding: gzip\r\n"}) {
      const std::string get = answer(std::string{"GET "} + path, headers), head = answer(std::string{"HEAD "} + path, headers);
      EXPECT(head == get.substr(0, get.find("\r\n\r\n") + 4));
      EXPECT(has(head, "Content-Length: "));
    }
}

TEST_CASE("a damaged file is an error and nothing else", "[rpc][http]") {
  EXPECT(has(answer("GET /damaged"), "HTTP/1.1 500"));
  const std::string good = gzip(page);
  EXPECT(rpc::inflate_gzip(good, page.size()) == page);
  EXPECT(!rpc::inflate_gzip(good, page.size() - 1));
  EXPECT(!rpc::inflate_gzip(good.substr(0, good.size() - 1), 1000));
  EXPECT(!rpc::inflate_gzip("", 1000));
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    INFO(at);
    EXPECT(rpc::inflate_gzip(bad, 1000).value_or(page) == page);  // some bits say nothing about the content
  }
  EXPECT(!rpc::inflate_gzip(gzip(std::string(10'000'000, 'x')), 1'000'000));
}

TEST_CASE("Accept-Encoding is read as RFC 9110 has it", "[rpc][http]") {
  struct Row {
    const char* header;
    bool accepts;
  };
  const Row row = GENERATE(values<Row>({{"", false}, {"gzip", true}, {"GZIP", true}, {"gzip, deflate, br", true}, {"br;q=1.0, gzip;q=0.5", true}, {"gzip;q=0", false},
                                        {"gzip; q=0.000, *", false}, {"*", true}, {"*;q=0", false}, {"identity", false}, {"xgzip", false}, {"gzip;q=0.001", true}, {"?", false}}));
  INFO(row.header);
  EXPECT(accepts_gzip(row.header) == row.accepts);
}

TEST_CASE("If-None-Match names ETags, or any", "[rpc][http]") {
  EXPECT(rpc::names_etag("\"a\"", "a"));
  EXPECT(rpc::names_etag("W/\"a\"", "a"));
  EXPECT(rpc::names_etag("\"b\" , W/\"a\"", "a"));
  EXPECT(rpc::names_etag("*", "a"));
  for (const char* other : {"", "a", "\"ab\"", "\"\"", "\"", "?", "W/", "\"b\",\"c\""}) EXPECT(!rpc::names_etag(other, "a"));
  EXPECT(!rpc::names_etag("\"\"", ""));
}

TEST_CASE("who takes brotli gets it where it is there, others get what they take", "[rpc][http]") {
  const std::string brotli = answer("GET /twice", "Accept-Encoding: gzip, deflate, br, zstd\r\n");
  EXPECT(has(brotli, "Content-Encoding: br\r\n"));
  EXPECT(body_of(brotli) == "as brotli");
  EXPECT(has(answer("GET /", "Accept-Encoding: br, gzip\r\n"), "Content-Encoding: gzip\r\n"));
  EXPECT(has(answer("GET /twice", "Accept-Encoding: br;q=0, gzip\r\n"), "Content-Encoding: gzip\r\n"));
  EXPECT(body_of(answer("GET /twice")) == page);
}
