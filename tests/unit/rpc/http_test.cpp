// Who may talk to the server, and what becomes of clients that dawdle, flood or die. Sockets are used by hand: what is tested
// is what libraries would not do.
#include "sim/rpc/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "sim/rpc/dispatcher.h"
#include "tests/support/catch.h"

namespace {

using rpc::HttpHead;
using rpc::HttpWay;
using rpc::Json;

const std::string token = "00112233445566778899aabbccddeeff";

struct Judged {
  const char* what;
  HttpHead head;
  unsigned status;
  HttpWay way{HttpWay::Rpc};
  size_t run{};
};

HttpHead good() {
  return {.method = "POST", .target = "/rpc", .host = "127.0.0.1:8080", .origin = "", .authorization = "Bearer 00112233445566778899aabbccddeeff",
          .content_type = "application/json", .upgrades = false};
}
HttpHead with(std::string_view HttpHead::* member, std::string_view value) {
  HttpHead head = good();
  head.*member = value;
  return head;
}
HttpHead socket(std::string_view target, std::string_view authorization = "") {
  HttpHead head = good();
  head.method = "GET";
  head.target = target;
  head.authorization = authorization;
  head.content_type = "";
  head.upgrades = true;
  return head;
}
HttpHead page(std::string_view method, std::string_view host = "localhost:8080") {
  return {.method = method, .target = "/index.html?x", .host = host, .origin = "", .authorization = "", .content_type = "", .upgrades = false};
}

}  // namespace

TEST_CASE("the gate lets in who knows the token and comes from here", "[rpc][http]") {
  const rpc::HttpGate gate{8080, token, 2};
  const Judged row = GENERATE(values<Judged>({
      {"a good request", good(), 200},
      {"with a charset", with(&HttpHead::content_type, "Application/JSON; charset=utf-8"), 200},
      {"from our own page", with(&HttpHead::origin, "http://127.0.0.1:8080"), 200},
      {"by name", with(&HttpHead::host, "LOCALHOST:8080"), 200},
      {"by IPv6", with(&HttpHead::host, "[::1]:8080"), 200},
      {"no host", with(&HttpHead::host, ""), 421},
      {"a name that was bound to us", with(&HttpHead::host, "evil.example:8080"), 421},
      {"without port", with(&HttpHead::host, "127.0.0.1"), 421},
      {"another port", with(&HttpHead::host, "127.0.0.1:80"), 421},
      {"a name that begins like ours", with(&HttpHead::host, "127.0.0.1:8080.evil.example"), 421},
      {"another page", with(&HttpHead::origin, "http://evil.example"), 403},
      {"a page of another port", with(&HttpHead::origin, "http://127.0.0.1:80"), 403},
      {"a page of another scheme", with(&HttpHead::origin, "https://127.0.0.1:8080"), 403},
      {"a page without origin", with(&HttpHead::origin, "null"), 403},
      {"no token", with(&HttpHead::authorization, ""), 403},
      {"an empty token", with(&HttpHead::authorization, "Bearer "), 403},
      {"another token", with(&HttpHead::authorization, "Bearer 00112233445566778899aabbccddeefe"), 403},
      {"a part of the token", with(&HttpHead::authorization, "Bearer 0011"), 403},
      {"another scheme", with(&HttpHead::authorization, "Basic 00112233445566778899aabbccddeeff"), 403},
      {"a token in the query of what is no upgrade", with(&HttpHead::target, "/rpc?t=00112233445566778899aabbccddeeff"), 200},
      {"GET", with(&HttpHead::method, "GET"), 405},
      {"a form", with(&HttpHead::content_type, "text/plain"), 415},
      {"no type", with(&HttpHead::content_type, ""), 415},
      {"a WebSocket", socket("/ws?t=00112233445566778899aabbccddeeff"), 200, HttpWay::WebSocket},
      {"a WebSocket with more in its query", socket("/ws?a=b&t=00112233445566778899aabbccddeeff&c"), 200, HttpWay::WebSocket},
      {"a WebSocket with a header", socket("/ws", "bearer 00112233445566778899aabbccddeeff"), 200, HttpWay::WebSocket},
      {"a WebSocket without token", socket("/ws"), 403},
      {"a WebSocket with another token", socket("/ws?t=0"), 403},
      {"a WebSocket elsewhere", socket("/rpc?t=00112233445566778899aabbccddeeff"), 405},
      {"no upgrade", with(&HttpHead::target, "/ws"), 426},
      {"a WebSocket of the second run", socket("/ws?t=00112233445566778899aabbccddeeff&run=1"), 200, HttpWay::WebSocket, 1},
      {"a WebSocket of the first run", socket("/ws?run=0&t=00112233445566778899aabbccddeeff"), 200, HttpWay::WebSocket},
      {"a WebSocket of a run that is not there", socket("/ws?t=00112233445566778899aabbccddeeff&run=2"), 404},
      {"a run that is no number", socket("/ws?t=00112233445566778899aabbccddeeff&run=01"), 404},
      {"a run without a number", socket("/ws?t=00112233445566778899aabbccddeeff&run="), 404},
      {"a run that is not there, without token", socket("/ws?run=2"), 403},
      {"a request to the second run", with(&HttpHead::target, "/rpc?run=1"), 200, HttpWay::Rpc, 1},
      {"a request to a run that is not there", with(&HttpHead::target, "/rpc?run=18446744073709551617"), 404},
      {"a page", page("GET"), 200, HttpWay::Asset},
      {"its head", page("HEAD"), 200, HttpWay::Asset},
      {"a page that is posted to", page("POST"), 405},
      {"a page by another name", page("GET", "evil.example:8080"), 421},
  }));
  INFO(row.what);
  const rpc::HttpVerdict verdict = gate.judge(row.head);
  EXPECT(verdict.status == row.status);
  if (row.status == 200) EXPECT((verdict.way == row.way && verdict.run == row.run));
  else EXPECT(!verdict.reason.empty());
}

TEST_CASE("a query's token is for upgrades only", "[rpc][http]") {
  HttpHead head = with(&HttpHead::target, "/rpc?t=00112233445566778899aabbccddeeff");
  head.authorization = "";
  EXPECT(rpc::HttpGate(8080, token).judge(head).status == 403);
}

TEST_CASE("tokens have 128 bits, and no two are alike", "[rpc][http]") {
  const std::string a = rpc::make_token(), b = rpc::make_token();
  EXPECT(a.size() == 32);
  EXPECT(a != b);
  EXPECT(rpc::equal_in_constant_time(a, a));
  EXPECT(!rpc::equal_in_constant_time(a, b));
  EXPECT(!rpc::equal_in_constant_time(a, a.substr(1)));
}

namespace {

/// A session that answers, and one call that waits until it is let go.
struct Session {
  rpc::Dispatcher dispatcher{[] {}};
  rpc::CallQueue queue{dispatcher};
  std::promise<void> release;
  std::thread thread;

  Session() {
    dispatcher.serve("status", [](const rpc::Parameters&) -> rpc::Answer { return Json{{"text", std::string(200'000, 'x')}}; });
    dispatcher.serve("interrupt", [](const rpc::Parameters&) -> rpc::Answer { return Json::object(); });
    dispatcher.serve("hello", [](const rpc::Parameters&) -> rpc::Answer { return Json{{"program", "airlock"}}; });
    dispatcher.serve("dump", [](const rpc::Parameters&) -> rpc::Answer { return Json::object(); });
    dispatcher.serve("run", [this](const rpc::Parameters&) -> rpc::Answer {
      release.get_future().wait();
      return Json::object();
    });
    thread = std::thread{[this] { queue.serve(); }};
  }
  ~Session() {
    queue.stop();
    thread.join();
  }
};

struct Server {
  Session session;
  std::unique_ptr<rpc::HttpServer> http;

  explicit Server(const rpc::HttpLimits& limits = {}, rpc::HttpAssets assets = {}, Session* other = nullptr) {
    std::vector<rpc::HttpRun> runs{{session.queue, session.dispatcher.for_strangers()}};
    if (other != nullptr) runs.push_back({other->queue, other->dispatcher.for_strangers()});
    auto started = rpc::HttpServer::start(runs, {.port = 0, .limits = limits, .assets = std::move(assets)});
    if (!started) FAIL(started.error().message);
    http = std::move(started.value());
  }
  [[nodiscard]] std::string head(std::string_view first_line, std::string_view more = "") const {
    return fmt::format("{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}", first_line, http->port(), more);
  }
  [[nodiscard]] std::string post(std::string_view body, std::string_view more = "") const {
    return head("POST /rpc", fmt::format("Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}",
                                         http->token(), body.size(), more, body));
  }
  [[nodiscard]] std::string call(std::string_view method) const {
    return post(fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"{}"}})", method));
  }
  [[nodiscard]] std::string upgrade(std::string_view more = "") const {
    return head(fmt::format("GET /ws?t={}{}", http->token(), more),
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  }
};

/// The port of this process' end of a socket (`name` is getsockname) or of the other end (getpeername); 0: it is no such socket.
uint16_t port_of(int socket, decltype(getsockname)* name) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (name(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sin_family != AF_INET) return 0;
  return ntohs(address.sin_port);
}

/// TCP_NODELAY of the server's end of the connection to `port`: the server is in this process. -1: there is none.
int no_delay_beyond(uint16_t port) {
  for (int socket = 0; socket < 1024; ++socket) {
    int on = -1;
    socklen_t size = sizeof on;
    if (port_of(socket, getpeername) == port && getsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0) return on != 0;
  }
  return -1;
}

class Client {
 public:
  explicit Client(uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;

  [[nodiscard]] uint16_t port() const { return port_of(socket_, getsockname); }

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      text.remove_prefix(static_cast<size_t>(count));
    }
  }
  /// What comes until `end` does or the server closes.
  std::string until(std::string_view end) {
    std::array<char, 65536> bytes{};
    while (text_.find(end) == std::string::npos) {
      const ssize_t count = recv(socket_, bytes.data(), bytes.size(), 0);
      if (count <= 0) return std::exchange(text_, "");
      text_.append(bytes.data(), static_cast<size_t>(count));
    }
    const size_t size = text_.find(end) + end.size();
    std::string out = text_.substr(0, size);
    text_.erase(0, size);
    return out;
  }
  std::string all() { return until(std::string(1, '\x01') + "never"); }

 private:
  int socket_;
  std::string text_;
};

unsigned status_of(const std::string& response) {
  return response.starts_with("HTTP/1.1 ") ? static_cast<unsigned>(std::atoi(response.c_str() + 9)) : 0;
}

/// A text frame of a client, masked with zeros, of up to 64 KiB.
std::string frame(std::string_view text, char opcode = 1) {
  std::string out{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | (text.size() < 126 ? text.size() : 126))};
  if (text.size() >= 126) out += {static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
  return out + std::string(4, '\0') + std::string{text};
}

const std::string hello = R"({"jsonrpc":"2.0","id":1,"method":"hello"})";
const std::string hello_answer = R"({"jsonrpc":"2.0","id":1,"result":{"program":"airlock"}})";

}  // namespace

TEST_CASE("a request is answered, several on one connection, with what protects a browser", "[rpc][http]") {
  Server server;
  Client client{server.http->port()};
  for (int i = 0; i < 3; ++i) {
    client.send(server.post(hello));
    const std::string response = client.until(hello_answer);
    EXPECT(status_of(response) == 200);
    for (const char* header : {"Content-Security-Policy: default-src 'self'", "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
                               "Cross-Origin-Opener-Policy: same-origin", "Cache-Control: no-store", "Content-Type: application/json"})
      EXPECT(response.find(header) != std::string::npos);
  }
  client.send(server.post(R"({"jsonrpc":"2.0","method":"hello"})"));
  EXPECT(status_of(client.until("\r\n\r\n")) == 204);
}

TEST_CASE("an answer does not wait until the client has acknowledged the one before", "[rpc][http]") {
  Server server;
  Client client{server.http->port()};
  client.send(server.call("hello"));
  (void)client.until("}");
  EXPECT(no_delay_beyond(client.port()) == 1);
}

TEST_CASE("each refusal has its status, and ends the connection", "[rpc][http]") {
  Server server;
  struct Row {
    std::string request;
    unsigned status;
  };
  const std::string port = std::to_string(server.http->port());
  const std::vector<Row> rows{
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
      {"GET / HTTP/1.1\r\n\r\n", 421},
      {server.head("GET /", "Host: evil.example\r\n\r\n"), 421},
      {server.post(hello, "Origin: http://evil.example\r\n"), 403},
      {server.head("POST /rpc", "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n"), 403},
      {server.head("GET /ws?t=1", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), 403},
      {server.head("GET /rpc", "Authorization: Bearer " + server.http->token() + "\r\n\r\n"), 405},
      {server.head("POST /rpc", "Authorization: Bearer " + server.http->token() + "\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"), 415},
      {server.head("GET /ws", "Authorization: Bearer " + server.http->token() + "\r\n\r\n"), 426},
      {server.head("GET /nothing", "Connection: close\r\n\r\n"), 404},
      {"nonsense\r\n\r\n", 400},
      {std::string(100, '\0'), 400},
      {server.head("POST /rpc", "Content-Length: -1\r\n\r\n"), 400},
      {server.head("GET /", "X: " + std::string(20'000, 'x') + "\r\n\r\n"), 431},
      {server.head("POST /rpc", "Content-Length: 2000000\r\n\r\n"), 413},
  };
  for (const Row& row : rows) {
    INFO(row.request.substr(0, 200));
    Client client{server.http->port()};
    client.send(row.request);
    const std::string response = client.all();
    INFO(response.substr(0, 300));
    EXPECT(status_of(response) == row.status);
  }
}

TEST_CASE("files of the host are not written over HTTP", "[rpc][http]") {
  Server server;
  Client client{server.http->port()};
  client.send(server.post(R"({"jsonrpc":"2.0","id":1,"method":"dump","params":{"kind":"core","path":"x"}})"));
  EXPECT(client.until("}}").find("-32003") != std::string::npos);
}

TEST_CASE("too many requests a second are refused", "[rpc][http]") {
  Server server{{.rate = 0, .burst = 2}};
  for (const unsigned status : {200u, 200u, 429u}) {
    Client client{server.http->port()};
    client.send(server.post(hello, "Connection: close\r\n"));
    EXPECT(status_of(client.all()) == status);
  }
}

TEST_CASE("too many clients are told so, and others go on", "[rpc][http]") {
  Server server{{.clients = 2}};
  Client one{server.http->port()};
  one.send(server.post(hello));
  EXPECT(status_of(one.until(hello_answer)) == 200);
  {
    Client two{server.http->port()};
    two.send(server.post(hello));
    EXPECT(status_of(two.until(hello_answer)) == 200);
    Client three{server.http->port()};
    EXPECT(status_of(three.all()) == 503);
  }
  one.send(server.post(hello));
  EXPECT(status_of(one.until(hello_answer)) == 200);
}

TEST_CASE("a client that never finishes its request is sent away", "[rpc][http]") {
  Server server{{.request_seconds = 1, .idle_seconds = 1}};
  Client silent{server.http->port()}, slow{server.http->port()}, idle{server.http->port()};
  slow.send(server.call("hello").substr(0, 60));
  idle.send(server.post(hello));
  EXPECT(status_of(idle.until(hello_answer)) == 200);
  EXPECT(silent.all().empty());
  EXPECT(slow.all().empty());
  EXPECT(idle.all().empty());
}

TEST_CASE("a client that dies while its call runs harms nobody", "[rpc][http]") {
  Server server;
  {
    Client dying{server.http->port()};
    dying.send(server.call("run"));
    Client other{server.http->port()};
    other.send(server.call("interrupt"));  // goes past what runs
    EXPECT(other.until("\"result\":{}}").find("\"id\":1") != std::string::npos);
  }
  server.session.release.set_value();
  Client next{server.http->port()};
  next.send(server.post(hello));
  EXPECT(status_of(next.until(hello_answer)) == 200);
}

TEST_CASE("a WebSocket hears answers and notifications", "[rpc][http]") {
  Server server;
  Client client{server.http->port()};
  client.send(server.upgrade());
  EXPECT(status_of(client.until("\r\n\r\n")) == 101);
  client.send(frame(hello));
  EXPECT(client.until(hello_answer).size() >= hello_answer.size());
  server.session.queue.post([&](rpc::Api&) { server.session.dispatcher.notify("moved", {{"a", 1}}); });
  EXPECT(client.until(R"({"jsonrpc":"2.0","method":"moved","params":{"a":1}})").find("moved") != std::string::npos);
  client.send(frame("not json"));
  EXPECT(client.until("-32700").size() > 6);
  client.send(frame("\x01\x02", 2));  // binary
  EXPECT(client.until("texts only").find("texts only") != std::string::npos);
}

TEST_CASE("a WebSocket that does not read is dropped, and nobody waits for it", "[rpc][http]") {
  Server server{{.unread = 1'000'000}};
  Client stalled{server.http->port()};
  stalled.send(server.upgrade());
  EXPECT(status_of(stalled.until("\r\n\r\n")) == 101);
  // Each answer has 200 kB; what the kernel buffers for a client that does not read is not without end.
  std::thread flood{[&] {
    for (int i = 0; i < 2000; ++i) stalled.send(frame(R"({"jsonrpc":"2.0","id":1,"method":"status"})"));
  }};
  for (int i = 0; i < 3; ++i) {
    Client other{server.http->port()};
    other.send(server.post(hello));
    EXPECT(status_of(other.until(hello_answer)) == 200);
  }
  flood.join();
  EXPECT(stalled.all().size() < 2000 * size_t{200'000});
}

TEST_CASE("two runs are two sessions with their own notifications", "[rpc][http]") {
  Session other;
  Server server{{}, {}, &other};
  other.queue.post([&](rpc::Api&) {
    other.dispatcher.serve("tlb", [](const rpc::Parameters&) -> rpc::Answer { return Json{{"used", 1}}; });
  });
  Client first{server.http->port()}, second{server.http->port()};
  first.send(server.upgrade());
  second.send(server.upgrade("&run=1"));
  EXPECT(status_of(first.until("\r\n\r\n")) == 101);
  EXPECT(status_of(second.until("\r\n\r\n")) == 101);
  const std::string question = R"({"jsonrpc":"2.0","id":1,"method":"tlb"})";
  first.send(frame(question));
  second.send(frame(question));
  EXPECT(first.until("}}").find("-32000") != std::string::npos);
  EXPECT(second.until("}}").find("\"used\":1") != std::string::npos);
  // What each of them hears first is its own.
  other.queue.post([&](rpc::Api&) { other.dispatcher.notify("moved", {{"run", 1}}); });
  EXPECT(second.until("}}").find("\"run\":1") != std::string::npos);
  server.session.queue.post([&](rpc::Api&) { server.session.dispatcher.notify("moved", {{"run", 0}}); });
  EXPECT(first.until("}}").find("\"run\":0") != std::string::npos);
}

TEST_CASE("a port that is taken is an error", "[rpc][http]") {
  Server server;
  const auto second = rpc::HttpServer::start({{server.session.queue, server.session.dispatcher}}, {.port = server.http->port()});
  REQUIRE(!second);
  EXPECT(second.error().message.find(std::to_string(server.http->port())) != std::string::npos);
}

TEST_CASE("bytes are answered without a connection as with one", "[rpc][http]") {
  Session session;
  const rpc::HttpGate gate{8080, token};
  const std::string request = "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer " + token +
                              "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(hello.size()) + "\r\n\r\n" + hello;
  rpc::Dispatcher dispatcher{[] {}};
  dispatcher.serve("hello", [](const rpc::Parameters&) -> rpc::Answer { return Json{{"program", "airlock"}}; });
  const std::string twice = rpc::answer_bytes(dispatcher, gate, {}, request + request);
  EXPECT(twice.find(hello_answer) != twice.rfind(hello_answer));
  EXPECT(rpc::answer_bytes(dispatcher, gate, {}, request.substr(0, 50)).empty());
  EXPECT(status_of(rpc::answer_bytes(dispatcher, gate, {}, "\x01\r\n\r\n")) == 400);
}
