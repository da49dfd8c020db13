// The server of the Debug Adapter Protocol: streams, clients that come, go, and send what they should not.
#include "sim/faces/dap/server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "sim/faces/dap/messages.h"
#include "tests/unit/faces/fake_api.h"

using namespace faces::dap;
using Catch::Matchers::ContainsSubstring;
using rpc::Json;
using test::FakeApi;

namespace {

/// A session's thread over a fake interface.
struct Place {
  FakeApi api;
  rpc::CallQueue queue{api};
  std::thread thread;

  Place() {
    test::stand_still(api);
    thread = std::thread{[this] { queue.serve(); }};
  }
  ~Place() {
    queue.stop();
    thread.join();
  }
};

Json request(uint64_t sequence, const std::string& command) { return {{"seq", sequence}, {"type", "request"}, {"command", command}}; }

/// A client's end of a stream, which waits for what it reads.
struct Peer {
  int socket;
  MessageReader reader;

  void send(std::string_view bytes) const { REQUIRE(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())); }
  /// Nothing at the end of the stream.
  std::optional<Json> read() {
    while (true) {
      auto message = reader.next();
      REQUIRE(message);
      if (message.value()) return parse_message(*message.value()).value();
      char bytes[4096];
      const ssize_t count = recv(socket, bytes, sizeof bytes, 0);
      if (count <= 0) return std::nullopt;
      reader.add({bytes, static_cast<size_t>(count)});
    }
  }
};

Peer connect_to(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int number = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(connect(number, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return {number, {}};
}

}  // namespace

TEST_CASE("a client over a stream is answered, and its leave ends the server", "[dap]") {
  Place place;
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  std::promise<void> ended;
  const auto server = Server::over(place.queue, pair[0], pair[0], {{}, [&] { ended.set_value(); }});
  Peer peer{pair[1], {}};
  peer.send(frame(request(1, "initialize")) + frame(request(2, "threads")) + frame(request(3, "disconnect")));
  EXPECT((*peer.read())["request_seq"] == 1);
  EXPECT((*peer.read())["success"] == false);
  EXPECT((*peer.read())["success"] == true);
  ended.get_future().wait();
  close(pair[0]);
  close(pair[1]);
}

TEST_CASE("bytes that are no message end the connection with a reason, and the next client is served", "[dap]") {
  Place place;
  auto server = Server::listen(place.queue, 0, {});
  REQUIRE(server);
  Peer bad = connect_to(server.value()->port());
  bad.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto complaint = bad.read();
  REQUIRE(complaint);
  CHECK_THAT((*complaint)["body"]["output"].get<std::string>(), ContainsSubstring("nothing more is read"));
  EXPECT(!bad.read());
  close(bad.socket);
  Peer good = connect_to(server.value()->port());
  good.send("Content-Length: 1\r\n\r\n{" + frame(request(1, "initialize")));
  EXPECT((*good.read())["event"] == "output");
  EXPECT((*good.read())["request_seq"] == 1);
  SECTION("a second client at the same time hears why it is sent away") {
    Peer second = connect_to(server.value()->port());
    CHECK_THAT((*second.read())["body"]["output"].get<std::string>(), ContainsSubstring("serves one at a time"));
    EXPECT(!second.read());
    close(second.socket);
  }
  close(good.socket);
}

TEST_CASE("pause goes past a motion that is under way", "[dap]") {
  Place place;
  std::promise<void> running, interrupted;
  /// Runs until it is interrupted.
  struct Endless final : rpc::Api {
    FakeApi& fake;
    std::promise<void>& running;
    std::promise<void>& interrupted;
    std::atomic<bool> said{};
    Endless(FakeApi& api, std::promise<void>& begins, std::promise<void>& ends) : fake{api}, running{begins}, interrupted{ends} {}
    rpc::Answer call(std::string_view method, const Json& parameters) override {
      if (method != "run") return fake.call(method, parameters);
      running.set_value();
      interrupted.get_future().wait();
      return Json{{"stop", test::stop("interrupted", 5, 0, "Interrupted.")}};
    }
    void interrupt() override {  // again when the client goes
      if (!said.exchange(true)) interrupted.set_value();
    }
    size_t listen(Listener listener) override { return fake.listen(std::move(listener)); }
    void forget(size_t listener) override { fake.forget(listener); }
  };
  Endless api{place.api, running, interrupted};
  place.api.answer("hello", {{"program", "airlock"}, {"version", "1"}, {"protocol", 1}, {"live", true}, {"processors", 1}, {"memory", "0x100000"}, {"configuration", "00"}, {"methods", Json::array()}});
  rpc::CallQueue queue{api};
  std::thread session{[&] { queue.serve(); }};
  {
    auto server = Server::listen(queue, 0, {});
    REQUIRE(server);
    Peer peer = connect_to(server.value()->port());
    peer.send(frame(request(1, "launch")) + frame(request(2, "continue")));
    running.get_future().wait();
    peer.send(frame(request(3, "pause")));
    bool stopped = false, answered = false;
    while (!stopped || !answered) {
      const auto message = peer.read();
      REQUIRE(message);
      stopped = stopped || faces::text_of(*message, "event") == "stopped";
      answered = answered || (*message).value("request_seq", 0) == 3;
    }
    close(peer.socket);
  }
  queue.stop();
  session.join();
}
