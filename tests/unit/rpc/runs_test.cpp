// Bookmarks of a session, what findings say, and texts for spreadsheets.
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>

#include "sim/rpc/events_csv.h"
#include "sim/rpc/findings.h"
#include "tests/support/checked_api.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_session.h"

using Catch::Matchers::ContainsSubstring;
using rpc::Code;
using rpc::Json;

namespace {

void write(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
}

/// Of folder "x".
std::string finding_json(const std::string& more) {
  return R"({"format": 1, "id": "x", "oracle": "o", "text": "t")" + (more.empty() ? "" : ", " + more) + "}";
}

}  // namespace

TEST_CASE("a session's bookmarks keep their ids, and all who listen hear of them", "[rpc][runs]") {
  const auto service = test::tiny_service();
  test::CheckedApi api{service->api()};
  size_t heard = 0;
  api.listen([&](std::string_view name, const Json&) { heard += name == "bookmarks" ? 1 : 0; });
  const Json one = api.result("bookmark.add", {{"at", 5}, {"text", "one"}}), two = api.result("bookmark.add", {{"text", "two"}});
  EXPECT(one["saved"] == false);
  EXPECT(one["bookmark"]["id"] != two["bookmark"]["id"]);
  EXPECT(api.result("bookmark.change", {{"id", one["bookmark"]["id"]}, {"text", "uno"}})["bookmark"]["text"] == "uno");
  (void)api.result("bookmark.remove", {{"id", two["bookmark"]["id"]}});
  const Json list = api.result("bookmark.list")["bookmarks"];
  REQUIRE(list.size() == 1);
  EXPECT(list[0] == Json{{"id", one["bookmark"]["id"]}, {"at", 5}, {"text", "uno"}});
  EXPECT(heard == 4);
  EXPECT(api.refusal("bookmark.remove", {{"id", two["bookmark"]["id"]}}).code == Code::NotThere);
  EXPECT(api.refusal("bookmark.change", {{"id", 77}, {"text", "x"}}).code == Code::NotThere);
  EXPECT(api.refusal("bookmark.add", {{"text", ""}}).code == Code::Refused);
  EXPECT(api.refusal("bookmark.add", {{"text", std::string(5000, 'x')}}).code == Code::Refused);
}

TEST_CASE("a stretch of a live run costs cycles and moves nothing", "[rpc][runs]") {
  const auto service = test::tiny_service();
  test::CheckedApi api{service->api()};
  (void)api.result("focus", {{"at", 5000}});
  (void)api.result("focus", {{"at", 100}});
  const Json cycles = api.result("cycles", {{"from", 1000}, {"to", 2000}});
  EXPECT(cycles["cycles"] > 200);
  EXPECT(!cycles["rows"].empty());
  EXPECT(api.result("cycles", {{"from", 1000}, {"to", 2000}}) == cycles);
  EXPECT(api.result("status")["focus"]["at"] == 100);
  EXPECT(api.refusal("cycles", {{"from", 4000}, {"to", 6000}}).code == Code::Refused);  // not run yet
  EXPECT(api.refusal("cycles", {{"from", 10}, {"to", 10}}).code == Code::InvalidParameters);
  service->session().interrupt();
  CHECK_THAT(api.refusal("cycles", {{"from", 1000}, {"to", 2000}}).message, ContainsSubstring("interrupted"));
}

TEST_CASE("without another run or a folder there is nothing to compare and to find", "[rpc][runs]") {
  const auto service = test::tiny_service();
  test::CheckedApi api{service->api()};
  EXPECT(api.refusal("compare").code == Code::NotThere);
  EXPECT(api.result("findings") == Json{{"findings", Json::array()}});
  const Json status = api.result("status");
  EXPECT(status["beginning"] == 0);
  EXPECT(!status.contains("verified"));  // nothing is repeated, so nothing was checked
}

TEST_CASE("no text of a guest becomes a formula", "[rpc][runs]") {
  const struct {
    const char *text, *field;
  } cases[] = {{"", "\"\""},         {"plain", "\"plain\""},   {"=1+1", "\"'=1+1\""}, {"+1", "\"'+1\""}, {"-1", "\"'-1\""},
               {"@SUM", "\"'@SUM\""}, {"\t=1", "\"\\x09=1\""}, {"\r=1", "\"\\x0d=1\""}, {"a,\"b\"\xff", "\"a,\"\"b\"\"\\xff\""}};
  for (const auto& each : cases) EXPECT(rpc::csv_field(each.text) == each.field);
}

TEST_CASE("a finding is read, and whatever is wrong with one is its own text", "[rpc][runs]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/x", json = path + "/finding.json";
  write(path + "/recording.air", "air");
  write(json, finding_json(R"("at": 7, "vtl": 1, "bucket": ["a", "b"], "recording": "recording.air", "new": {})"));
  const rpc::Finding good = rpc::read_finding(path + "/");
  EXPECT(good.unreadable.empty());
  EXPECT(good.id == "x");
  EXPECT(good.at == support::Instant{7});
  EXPECT(good.vtl == 1);
  EXPECT(good.bucket == std::vector<std::string>{"a", "b"});
  EXPECT(good.recording == path + "/recording.air");
  const struct {
    std::string text;
    const char* why;
  } cases[] = {{"", "JSON"},
               {"[]", "an object"},
               {R"({"format": 2})", "another format"},
               {R"({"format": 1, "id": "y", "oracle": "o", "text": "t"})", "not the name of its folder"},
               {R"({"format": 1, "id": "x", "oracle": "", "text": "t"})", "\"oracle\" is empty"},
               {R"({"format": 1, "id": "x", "oracle": "o"})", "\"text\" is to be a text"},
               {finding_json(R"("at": -1)"), "\"at\" is to be an integer"},
               {finding_json(R"("at": 1e3)"), "\"at\" is to be an integer"},
               {finding_json(R"("at": 18446744073709551615)"), "\"at\" is to be an integer"},
               {finding_json(R"("vtl": 3)"), "\"vtl\" is to be an integer from 0 to 2"},
               {finding_json(R"("bucket": [1])"), "\"bucket\""},
               {finding_json(R"("call": ")" + std::string(5000, 'x') + "\""), "\"call\" has 5000 bytes"},
               {finding_json(R"("recording": "/etc/passwd")"), "no name of a file in this folder"},
               {finding_json(R"("recording": "..")"), "no name of a file in this folder"},
               {finding_json(R"("report": "a\u0000b")"), "no name of a file in this folder"},
               {finding_json(R"("input": "nowhere")"), "nowhere is not there"},
               {std::string(100, '[') + std::string(100, ']'), "nested"},
               {std::string(rpc::maximum_finding_file + 1, ' '), "at most"}};
  for (const auto& each : cases) {
    write(json, each.text);
    const rpc::Finding bad = rpc::read_finding(path);
    INFO(each.text.substr(0, 100));
    CHECK_THAT(bad.unreadable, ContainsSubstring(each.why));
    EXPECT(bad.id == "x");
    EXPECT(bad.recording.empty());
  }
  CHECK_FALSE(rpc::read_findings(folder.path() + "/none", [] { return true; }).ok());
  EXPECT(rpc::read_findings(folder.path(), [] { return true; }).value().size() == 1);
}
