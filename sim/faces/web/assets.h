#pragma once
// The debugger's page: files that the build put into the program, or those of a folder while somebody works at them.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sim/rpc/http_assets.h"
#include "sim/support/result.h"

namespace faces::web {

/// A row of the table that cmake/embed_assets.cmake writes.
struct EmbeddedAsset {
  std::string_view path;            ///< "/index.html"
  std::string_view sha256;          ///< of the file, 64 hexadecimal digits
  std::span<const uint8_t> gzip;    ///< the file, compressed
  std::span<const uint8_t> brotli;  ///< the same, smaller; empty: the build had no means to
  size_t size;                      ///< of the file, in bytes
};

/// Sorted by path. The page is /index.html; a program that was built without it has /index.txt alone.
[[nodiscard]] std::span<const EmbeddedAsset> embedded_assets();

/// For a server: "/" is /index.html, else /index.txt.
[[nodiscard]] rpc::HttpAssets serve_embedded();

/// The files below `folder`, as they are at each request. Names are letters, digits and . _ - with no dot in front; no
/// symbolic link is followed, and a file has at most 16 MiB: everything else is not there. Errors: there is no such folder.
[[nodiscard]] support::Result<rpc::HttpAssets> serve_folder(const std::string& folder);

/// By the end of the name; application/octet-stream for what no page needs.
[[nodiscard]] std::string_view content_type(std::string_view path);

/// Whether Vite put a hash of the content into the name: /assets/name-0a1B2c3D.js
[[nodiscard]] bool has_hashed_name(std::string_view path);

}  // namespace faces::web
