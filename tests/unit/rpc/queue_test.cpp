// Several threads and one session.
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include "sim/rpc/dispatcher.h"
#include "sim/rpc/json_rpc.h"
#include "sim/rpc/stdio_server.h"
#include "tests/support/catch.h"

namespace {

using rpc::Answer;
using rpc::Json;

/// A session whose `run` goes on until somebody ends it, and whose `step` answers whether it was ended before it began.
struct Endless {
  std::atomic<bool> interrupted{};
  std::promise<void> running;
  rpc::Dispatcher dispatcher{[this] {
    interrupted = true;
    interrupted.notify_all();
  }};
  rpc::CallQueue queue{dispatcher, [this] { interrupted = false; }};

  Endless() {
    dispatcher.serve("run", [this](const rpc::Parameters&) -> Answer {
      running.set_value();
      interrupted.wait(false);
      interrupted = false;
      return Json{{"ended", true}};
    });
    dispatcher.serve("step", [this](const rpc::Parameters&) -> Answer { return Json{{"interrupted", interrupted.exchange(false)}}; });
    dispatcher.serve("status", [](const rpc::Parameters&) -> Answer { return Json::object(); });
  }
};

/// Both ends of a pipe.
struct Pipe {
  std::array<int, 2> ends{};
  Pipe() { REQUIRE(pipe(ends.data()) == 0); }
  ~Pipe() {
    finish();
    close(ends[0]);
  }
  void send(std::string_view text) const { REQUIRE(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size())); }
  void finish() {
    if (ends[1] >= 0) close(ends[1]);
    ends[1] = -1;
  }
  /// Up to and without the next line break; empty at the end.
  [[nodiscard]] std::string line() const {
    std::string text;
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') text += c;
    return text;
  }
};

std::string request(const char* method, int id) {
  return Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", method == std::string_view{"step"} ? Json{{"kind", "into"}} : Json::object()}}.dump() + "\n";
}

}  // namespace

TEST_CASE("calls of several threads are executed one after the other", "[rpc]") {
  rpc::Dispatcher dispatcher{[] {}};
  int inside = 0, calls = 0;
  bool overlapped = false;
  dispatcher.serve("status", [&](const rpc::Parameters&) -> Answer {
    overlapped = overlapped || ++inside != 1;
    ++calls;
    --inside;
    return Json::object();
  });
  rpc::CallQueue queue{dispatcher};
  std::thread session{[&] { queue.serve(); }};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      rpc::QueuedApi api{queue};
      for (int n = 0; n < 500; ++n)
        if (!api.call("status", {})) std::abort();
    });
  for (std::thread& client : clients) client.join();
  queue.stop();
  session.join();
  EXPECT(calls == 2000);
  EXPECT(!overlapped);
  EXPECT(!rpc::QueuedApi{queue}.call("status", {}).ok());
}

TEST_CASE("an interrupt goes past the queue, and concerns what was posted before it", "[rpc]") {
  Endless endless;
  std::thread session{[&] { endless.queue.serve(); }};
  std::promise<Json> ran, stepped, stepped_later;
  const auto post = [&](const char* method, const Json& parameters, std::promise<Json>& answer) {
    endless.queue.post([&answer, method, parameters](rpc::Api& api) { answer.set_value(api.call(method, parameters).value()); }, rpc::may_take_long(method));
  };
  post("run", {}, ran);
  endless.running.get_future().wait();
  post("step", {{"kind", "into"}}, stepped);
  endless.queue.interrupt();
  EXPECT(ran.get_future().get()["ended"] == true);
  EXPECT(stepped.get_future().get()["interrupted"] == true);
  post("step", {{"kind", "into"}}, stepped_later);
  EXPECT(stepped_later.get_future().get()["interrupted"] == false);
  endless.queue.post([](rpc::Api&) {}, false);
  endless.queue.interrupt();  // nothing is under way: nobody is concerned
  std::promise<Json> last;
  post("step", {{"kind", "into"}}, last);
  EXPECT(last.get_future().get()["interrupted"] == false);
  endless.queue.stop();
  session.join();
}

TEST_CASE("the server of lines answers in order, interrupts at once, and ends with its input", "[rpc]") {
  Endless endless;
  Pipe in, out;
  std::thread session{[&] { endless.queue.serve(); }};
  {
    rpc::StdioServer server{endless.queue, endless.dispatcher, in.ends[0], out.ends[1], [&] { endless.queue.stop(); }};
    in.send(request("status", 1) + "\r\n\n" + request("run", 2) + request("step", 3));
    EXPECT(Json::parse(out.line())["id"] == 1);
    endless.running.get_future().wait();
    in.send(request("interrupt", 4));
    const Json first = Json::parse(out.line());
    EXPECT(first["id"] == 4);
    EXPECT(first["result"] == Json::object());
      EXPECT(Json::parse(out.line())["id"] == 2);
    const Json third = Json::parse(out.line());
    EXPECT(third["id"] == 3);
    EXPECT(third["result"]["interrupted"] == true);
    in.send("not json\n" + std::string(R"({"jsonrpc":"2.0","method":"status"})") + "\n" + request("status", 5));
    EXPECT(Json::parse(out.line())["error"]["code"] == -32700);
    EXPECT(Json::parse(out.line())["id"] == 5);
    endless.dispatcher.notify("moved", {{"a", 1}});
    EXPECT(Json::parse(out.line())["method"] == "moved");
    in.send(request("status", 6).substr(0, request("status", 6).size() - 1));
    in.finish();  // a last line without an end counts
    EXPECT(Json::parse(out.line())["id"] == 6);
    session.join();
  }
}

TEST_CASE("a line that is too long is refused once, and the next one is served", "[rpc]") {
  Endless endless;
  Pipe in, out;
  std::thread session{[&] { endless.queue.serve(); }};
  {
    rpc::StdioServer server{endless.queue, endless.dispatcher, in.ends[0], out.ends[1], [&] { endless.queue.stop(); }};
    std::thread writer{[&] {
      for (int i = 0; i < 33; ++i) in.send(std::string(65'536, 'x'));
      in.send("\n" + request("status", 7));
      in.finish();
    }};
    EXPECT(Json::parse(out.line())["error"]["code"] == -32600);
    EXPECT(Json::parse(out.line())["id"] == 7);
    writer.join();
    session.join();
  }
}

TEST_CASE("a client that goes away without reading ends its server and nothing else", "[rpc]") {
  Endless endless;
  Pipe in, out;
  std::promise<void> ended;
  std::thread session{[&] { endless.queue.serve(); }};
  {
    close(out.ends[0]);
    out.ends[0] = dup(in.ends[0]);  // so that the pipe has something to close
    rpc::StdioServer server{endless.queue, endless.dispatcher, in.ends[0], out.ends[1], [&] { ended.set_value(); }};
    in.send(request("status", 1));
    ended.get_future().wait();
  }
  EXPECT(rpc::QueuedApi{endless.queue}.call("status", {}).ok());
  endless.queue.stop();
  session.join();
}
