// The debugger's page: what is in the program, and what a folder gives away.
#include "sim/faces/web/assets.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace web = faces::web;

TEST_CASE("the program holds a page or says why not", "[faces][web]") {
  const auto table = web::embedded_assets();
  REQUIRE(!table.empty());
  EXPECT(std::is_sorted(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.path < b.path; }));
  const auto assets = web::serve_embedded();
  const auto start = assets("/");
  REQUIRE(start);
  EXPECT((start->content_type == "text/html; charset=utf-8" || start->content_type == "text/plain; charset=utf-8"));
  EXPECT(!start->immutable);
  EXPECT(!assets("/nothing"));
  EXPECT(!assets(""));
}

TEST_CASE("each embedded file is what its row says", "[faces][web]") {
  const auto assets = web::serve_embedded();
  for (const web::EmbeddedAsset& row : web::embedded_assets()) {
    INFO(row.path);
    const auto asset = assets(row.path);
    REQUIRE(asset);
    EXPECT(asset->gzip);
    EXPECT(asset->etag == row.sha256);
    EXPECT(asset->content_type != "application/octet-stream");
    const auto file = rpc::inflate_gzip(asset->body, row.size);
    REQUIRE(file);
    EXPECT(file->size() == row.size);
  }
}

TEST_CASE("all script of the page together is at most 150 kB as a browser is sent it", "[faces][web]") {
  size_t bytes = 0;
  for (const web::EmbeddedAsset& row : web::embedded_assets())
    if (row.path.ends_with(".js")) bytes += row.brotli.empty() ? row.gzip.size() : row.brotli.size();
  EXPECT(bytes <= 150'000);
}

TEST_CASE("names with a hash of Vite are known by it", "[faces][web]") {
  for (const char* path : {"/assets/index-DlqmKS_s.js", "/assets/a-b-0123456-.css", "/assets/x/y-abcdefgh.woff2"}) EXPECT(web::has_hashed_name(path));
  for (const char* path : {"/index.html", "/index-DlqmKS_s.js", "/assets/index.js", "/assets/index-DlqmKS_.js", "/assets/index-DlqmKS+s.js", "/assets/-DlqmKS_s", "/assets/"})
    EXPECT(!web::has_hashed_name(path));
}

TEST_CASE("types go by the end of the name", "[faces][web]") {
  EXPECT(web::content_type("/a/b.js") == "text/javascript; charset=utf-8");
  EXPECT(web::content_type("/b.css") == "text/css; charset=utf-8");
  EXPECT(web::content_type("/js") == "application/octet-stream");
  EXPECT(web::content_type("/x.html.exe") == "application/octet-stream");
}

TEST_CASE("a folder is served as it is at the moment, and nothing beside it", "[faces][web]") {
  const test::TemporaryFolder temporary;
  const std::string folder = temporary.file("page");
  std::filesystem::create_directories(folder + "/assets");
  std::filesystem::create_directories(folder + "/.git");
  (void)temporary.write("secret.txt", "secret");
  EXPECT(!web::serve_folder(temporary.file("nothing")));
  EXPECT(!web::serve_folder(folder));  // without index.html it is no page
  (void)temporary.write("page/index.html", "first");
  (void)temporary.write("page/assets/x-01234567.js", "1");
  (void)temporary.write("page/.git/config", "secret");
  std::filesystem::create_symlink("../secret.txt", folder + "/link.txt");
  std::filesystem::create_symlink("..", folder + "/up");
  std::filesystem::create_symlink("index.html", folder + "/inside.html");
  REQUIRE(mkfifo((folder + "/pipe").c_str(), 0600) == 0);
  std::filesystem::resize_file(temporary.write("page/long.js", ""), (size_t{16} << 20) + 1);

  auto served = web::serve_folder(folder);
  REQUIRE(served);
  const rpc::HttpAssets& assets = served.value();
  const auto body = [&](std::string_view path) {
    const auto asset = assets(path);
    return asset ? asset->body : "(none)";
  };
  EXPECT(body("/") == "first");
  EXPECT(body("/assets/x-01234567.js") == "1");
  EXPECT(!assets("/assets/x-01234567.js")->immutable);
  EXPECT(assets("/index.html")->etag.empty());
  (void)temporary.write("page/index.html", "second");
  EXPECT(body("/index.html") == "second");
  for (const std::string& path :
       {std::string{"/../secret.txt"}, std::string{"/assets/../../secret.txt"}, std::string{"/assets/../index.html"}, std::string{"//index.html"}, std::string{"/./index.html"},
        std::string{"/link.txt"}, std::string{"/up/secret.txt"}, std::string{"/inside.html"}, std::string{"/.git/config"}, std::string{"/pipe"}, std::string{"/long.js"},
        std::string{"/assets"}, std::string{"/assets/"}, std::string{"/%2e%2e/secret.txt"}, std::string{"/..%2fsecret.txt"}, std::string{"/\\..\\secret.txt"},
        std::string{"index.html"}, std::string{""}, std::string{"/index.html\0.js", 15}, temporary.file("secret.txt"), "/" + std::string(5000, 'a'),
        std::string{"/index.html/"}, std::string{"/index.html/x"}}) {
    INFO(path);
    EXPECT(body(path) == "(none)");
  }
}
