#pragma once
// Files for a browser, as HTTP serves them: compressed or not, and only if the browser does not have them yet.
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace rpc {

/// A file for browsers.
struct HttpAsset {
  std::string content_type, body;
  std::string etag{};    ///< a word that names the content, without quotes; empty: nobody is to ask whether it changed
  std::string brotli{};  ///< the same once more, for who accepts that (browsers do, on loopback); empty: not there
  bool gzip{};           ///< `body` is compressed: as it is for who accepts that, inflated for others
  bool immutable{};      ///< the path names the content: what a browser has of it will do for ever
};
/// By the path of a request; nothing: 404.
using HttpAssets = std::function<std::optional<HttpAsset>(std::string_view path)>;

/// Whether a header Accept-Encoding takes `coding` (in small letters): it is named, or *, and not with a weight of 0.
[[nodiscard]] bool accepts(std::string_view accept_encoding, std::string_view coding);

/// Whether a header If-None-Match names `etag` (or anything at all: *), in its weak form or the strong one.
[[nodiscard]] bool names_etag(std::string_view if_none_match, std::string_view etag);

/// The ETag header of an asset. It is weak (RFC 9110, 8.8.1): compressed and inflated are the same content.
[[nodiscard]] std::string etag_header(std::string_view etag);

/// What `gzip -n` compressed. Nothing if it is something else, is damaged, or becomes longer than `maximum` bytes.
[[nodiscard]] std::optional<std::string> inflate_gzip(std::string_view compressed, size_t maximum);

}  // namespace rpc
