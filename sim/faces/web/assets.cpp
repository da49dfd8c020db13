#include "sim/faces/web/assets.h"

#include <algorithm>
#include <utility>

namespace faces::web {
namespace {

constexpr std::pair<std::string_view, std::string_view> types[] = {
    {".html", "text/html; charset=utf-8"},       {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},       {".json", "application/json"},             {".svg", "image/svg+xml"},
    {".png", "image/png"},                       {".ico", "image/x-icon"},                  {".woff2", "font/woff2"},
    {".webmanifest", "application/manifest+json"}, {".wasm", "application/wasm"},
};

std::string text_of(std::span<const uint8_t> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

const EmbeddedAsset* find_embedded(std::string_view path) {
  const auto table = embedded_assets();
  const auto found = std::find_if(table.begin(), table.end(), [&](const EmbeddedAsset& asset) { return asset.path == path; });
  return found == table.end() ? nullptr : &*found;
}

bool is_of_hash(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; }

}  // namespace

std::string_view content_type(std::string_view path) {
  for (const auto& [end, type] : types)
    if (path.ends_with(end)) return type;
  return "application/octet-stream";
}

bool has_hashed_name(std::string_view path) {
  constexpr size_t hash = 8;
  if (!path.starts_with("/assets/")) return false;
  const std::string_view stem = path.substr(0, path.rfind('.'));
  if (stem.size() == path.size() || stem.size() < hash + 1 || stem[stem.size() - hash - 1] != '-') return false;
  return std::all_of(stem.end() - hash, stem.end(), is_of_hash);
}

rpc::HttpAssets serve_embedded() {
  return [](std::string_view path) -> std::optional<rpc::HttpAsset> {
    const EmbeddedAsset* asset = path == "/" ? find_embedded("/index.html") : find_embedded(path);
    if (asset == nullptr && path == "/") asset = find_embedded("/index.txt");
    if (asset == nullptr) return std::nullopt;
    return rpc::HttpAsset{.content_type = std::string{content_type(asset->path)},
                          .body = text_of(asset->gzip),
                          .etag = std::string{asset->sha256},
                          .brotli = text_of(asset->brotli),
                          .gzip = true,
                          .immutable = has_hashed_name(asset->path)};
  };
}

}  // namespace faces::web
