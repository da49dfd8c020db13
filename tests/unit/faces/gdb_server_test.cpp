// Clients at the port, of every kind: the session must not mind any of them. Raw sockets.
#include "sim/faces/gdb/server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "sim/faces/gdb/packet.h"
#include "sim/faces/tcp.h"
#include "tests/support/catch.h"
#include "tests/unit/faces/gdb_toy.h"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using faces::Descriptor;
using faces::gdb::frame;
using faces::gdb::Server;

namespace {

/// A connection that waits for answers, however long they take.
class Client {
 public:
  explicit Client(uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  void send(std::string_view bytes) const { (void)!::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  /// Sends on until the other side has all or the connection ends; how much it took.
  size_t send_all(std::string_view bytes) const {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = ::send(socket_.number(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<size_t>(count);
    }
    return sent;
  }
  void end_sending() const { (void)::shutdown(socket_.number(), SHUT_RDWR); }
  /// Bytes up to the next end of a packet; what came before the end of the connection else.
  std::string hear() {
    std::string text;
    while (!(text.size() >= 3 && text[text.size() - 3] == '#')) {
      char byte = 0;
      if (::recv(socket_.number(), &byte, 1, 0) != 1) break;
      text += byte;
    }
    return text;
  }
  std::string ask(std::string_view data) {
    send(frame(data));
    return hear();
  }
  /// Waits until the other side ends it.
  [[nodiscard]] bool is_ended() const {
    char byte = 0;
    ssize_t count = 0;
    while ((count = ::recv(socket_.number(), &byte, 1, 0)) > 0) {
    }
    return true;
  }
  void close() { socket_.close(); }
  /// The end that a program's death makes, with unread data: a reset.
  void reset() {
    const linger now{1, 0};
    (void)::setsockopt(socket_.number(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket_.close();
  }

 private:
  Descriptor socket_;
};

/// A session with its server.
struct Host {
  Host() {
    auto started = Server::start(queue, {});
    REQUIRE(started);
    server = std::move(started.value());
    session = std::thread{[this] { queue.serve(); }};
  }
  ~Host() {
    server.reset();
    queue.stop();
    session.join();
  }
  [[nodiscard]] Client client() const { return Client{server->port()}; }
  /// Waits until everything that was asked so far is done, and looks.
  template <class Look>
  auto look(const Look& what) {
    rpc::QueuedApi api{queue};
    (void)api.call("status", rpc::Json::object());
    return what(toy);
  }
  void wait_until_running() const { toy.running.wait(false); }

  test::Toy toy;
  rpc::CallQueue queue{toy.api(), [this] { toy.clear_interrupt(); }};
  std::unique_ptr<Server> server;
  std::thread session;
};

/// The session answers whoever comes next.
void expect_unharmed(Host& host) {
  // The one before may still be on its way out: then this one is told that it is not alone.
  for (;;) {
    Client next = host.client();
    const std::string answer = next.ask("qC");
    if (answer.find("another debugger") != std::string::npos || answer.empty()) continue;
    CHECK_THAT(answer, StartsWith("+$QC1#"));
    return;
  }
}

}  // namespace

TEST_CASE("packets are acknowledged until the client wants none of it", "[gdb]") {
  Host host;
  Client client = host.client();
  CHECK_THAT(client.ask("QStartNoAckMode"), StartsWith("+$OK#9a"));
  client.send("+");
  EXPECT(client.ask("qC") == "$QC1#c5");
  client.send("$qC#00");
  CHECK_THAT(client.hear(), StartsWith("$E.the checksum is wrong"));
}

TEST_CASE("a damaged packet is asked for again, and an answer is repeated", "[gdb]") {
  Host host;
  Client client = host.client();
  client.send("$qC#00");
  EXPECT(client.ask("qC") == "-+$QC1#c5");
  client.send("-");
  EXPECT(client.hear() == "$QC1#c5");
}

TEST_CASE("packets may come in pieces, or many at once", "[gdb]") {
  Host host;
  Client client = host.client();
  for (const char byte : frame("qC")) client.send({&byte, 1});
  EXPECT(client.hear() == "+$QC1#c5");
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "+" + frame("qC");
  client.send(many);
  for (int i = 0; i < 1000; ++i) CHECK_THAT(client.hear(), Catch::Matchers::EndsWith("$QC1#c5"));
}

TEST_CASE("whoever does not begin as a debugger does is dropped", "[gdb]") {
  Host host;
  const std::string packet = frame("vCont;c");
  for (const std::string& first :
       {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", " ", "\n", "\x16\x03\x01"}) {
    Client client = host.client();
    client.send(first + packet);
    EXPECT(client.is_ended());
  }
  EXPECT(host.look([](const test::Toy& toy) { return toy.now; }) == 0);
  expect_unharmed(host);
}

TEST_CASE("a second debugger is told why it is sent away", "[gdb]") {
  Host host;
  Client first = host.client();
  CHECK_THAT(first.ask("qC"), StartsWith("+$QC1"));
  Client second = host.client();
  CHECK_THAT(second.ask("qSupported"), StartsWith("+$E.another debugger is connected"));
  EXPECT(second.is_ended());
  std::vector<Client> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(host.client());  // who say nothing do not add up
  CHECK_THAT(first.ask("qC"), StartsWith("+$QC1"));
  EXPECT(silent.front().is_ended());
  silent.clear();
  first.close();
  expect_unharmed(host);
}

TEST_CASE("0x03 ends a run, and means nothing while none is under way", "[gdb]") {
  Host host;
  host.toy.endless = true;
  Client client = host.client();
  client.send("\x03");
  CHECK_THAT(client.ask("?"), StartsWith("+$T05"));
  client.send(frame("vCont;c"));
  host.wait_until_running();
  client.send("\x03");
  CHECK_THAT(client.hear(), StartsWith("+$T02thread:1;"));
  EXPECT(host.toy.interrupts == 1);
}

TEST_CASE("a client that dies ends its run and takes its breakpoints along", "[gdb]") {
  Host host;
  host.toy.endless = true;
  Client client = host.client();
  CHECK_THAT(client.ask("Z0,1000,1"), StartsWith("+$OK"));
  client.send(frame("vCont;c"));
  host.wait_until_running();
  SECTION("politely") { client.close(); }
  SECTION("at once") { client.reset(); }
  host.toy.running.wait(true);
  host.toy.endless = false;
  expect_unharmed(host);
  EXPECT(host.look([](const test::Toy& toy) { return toy.breakpoints.size(); }) == 0);
}

TEST_CASE("clients that die in the middle of something leave nothing behind", "[gdb]") {
  Host host;
  for (const char* last_words : {"", "+", "$", "$qSupp", "$qC#", "$qC#b", "$qC#b4", "$m0,4000#"}) {
    Client client = host.client();
    client.send(last_words);
    client.reset();
  }
  expect_unharmed(host);
}

TEST_CASE("a client that never reads is not read from, and holds nobody up", "[gdb]") {
  Host host;
  Client client = host.client();
  std::string questions;
  while (questions.size() < 64 << 20) questions += frame("m1000,1ffc");
  size_t sent = 0;
  std::thread sender{[&] { sent = client.send_all(questions); }};
  for (int i = 0; i < 1000; ++i)
    EXPECT(host.look([](const test::Toy& toy) { return toy.now; }) == 0);  // the session is free
  client.end_sending();
  sender.join();
  EXPECT(sent < questions.size());
  expect_unharmed(host);
}

TEST_CASE("a client that does not read what a guest prints is dropped", "[gdb]") {
  Host host;
  host.toy.guest_says = std::string(16 << 20, 'x');
  Client client = host.client();
  client.send(frame("vCont;c"));
  EXPECT(host.look([](const test::Toy& toy) { return toy.now; }) <= test::Toy::last);
  EXPECT(client.is_ended());
  host.toy.now = 0;
  expect_unharmed(host);
}

TEST_CASE("endless packets and numbers are refused one by one", "[gdb]") {
  Host host;
  Client client = host.client();
  std::string flood = "$";
  flood += std::string(1 << 20, '0');
  uint8_t sum = 0;
  for (size_t i = 1; i < flood.size(); ++i) sum = static_cast<uint8_t>(sum + '0');
  client.send(flood + fmt::format("#{:02x}", sum));
  CHECK_THAT(client.hear(), ContainsSubstring("E.the packet is longer than PacketSize"));
  CHECK_THAT(client.ask("mffffffffffffffff,ffffffffffffffff"), StartsWith("+$"));
  CHECK_THAT(client.ask("m11111111111111111111,1"), StartsWith("+$E."));
  CHECK_THAT(client.ask("qC"), StartsWith("+$QC1"));
}

TEST_CASE("a port that is taken is refused with its number", "[gdb]") {
  Host host;
  const auto second = Server::start(host.queue, {.port = host.server->port()});
  REQUIRE(!second);
  CHECK_THAT(second.error().message, ContainsSubstring(std::to_string(host.server->port())));
}
