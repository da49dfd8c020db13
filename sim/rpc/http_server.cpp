#include "sim/rpc/http_server.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "sim/rpc/json_rpc.h"
#include "sim/support/check.h"

namespace rpc {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using Error = beast::error_code;
using HttpRequest = http::request<http::string_body>;
using HttpResponse = http::response<http::string_body>;
using Parser = http::request_parser<http::string_body>;
using Clock = std::chrono::steady_clock;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

beast::string_view text_of_header(std::string_view text) { return {text.data(), text.size()}; }

/// A header that is there twice is none that anybody may rely on: "?" is refused wherever it is looked at.
std::string_view header(const HttpRequest& request, http::field field) {
  return request.count(field) > 1 ? std::string_view{"?"} : view(request[field]);
}

HttpHead head_of(const HttpRequest& request) {
  return {view(request.method_string()),
          view(request.target()),
          header(request, http::field::host),
          header(request, http::field::origin),
          header(request, http::field::authorization),
          header(request, http::field::content_type),
          websocket::is_upgrade(request)};
}

/// A browser is to run nothing that is not ours, to show us in no other page, and to tell nobody where it was.
void add_security(http::fields& fields) {
  fields.set("Content-Security-Policy",
             "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Referrer-Policy", "no-referrer");
  fields.set("Cross-Origin-Opener-Policy", "same-origin");
  fields.set("Cross-Origin-Resource-Policy", "same-origin");
  fields.set(http::field::cache_control, "no-store");
}

HttpResponse make_response(unsigned status, bool keep_alive, std::string_view type, std::string body) {
  HttpResponse response;
  response.version(11);
  response.result(status);
  add_security(response);
  if (!type.empty()) response.set(http::field::content_type, text_of_header(type));
  response.keep_alive(keep_alive);
  response.body() = std::move(body);
  if (status != 204) response.prepare_payload();
  return response;
}

HttpResponse refusal(unsigned status, std::string_view reason, bool keep_alive = false) {
  return make_response(status, keep_alive, "text/plain; charset=utf-8", std::string{reason} + "\n");
}

HttpResponse rpc_response(const std::optional<std::string>& answer, bool keep_alive) {
  return answer ? make_response(200, keep_alive, "application/json", *answer) : make_response(204, keep_alive, "", "");
}

/// How long a browser may use an asset without asking: for ever if its name is that of its content; else it asks each time
/// whether it changed.
std::string_view cache_control(const HttpAsset& asset) {
  if (asset.immutable) return "public, max-age=31536000, immutable";
  return asset.etag.empty() ? "no-store" : "no-cache";
}

/// The body as the client takes it; false if it cannot be had so.
bool encode_for(const HttpRequest& request, HttpAsset& asset, HttpResponse& response) {
  if (!asset.gzip) return true;
  response.set(http::field::vary, "Accept-Encoding");
  const std::string_view accepted = header(request, http::field::accept_encoding);
  if (!asset.brotli.empty() && accepts(accepted, "br")) {
    response.set(http::field::content_encoding, "br");
    asset.body = std::move(asset.brotli);
    return true;
  }
  if (accepts(accepted, "gzip")) {
    response.set(http::field::content_encoding, "gzip");
    return true;
  }
  constexpr size_t longest = size_t{64} << 20;
  auto inflated = inflate_gzip(asset.body, longest);
  if (inflated) asset.body = std::move(*inflated);
  return inflated.has_value();
}

HttpResponse asset_for(const HttpAssets& assets, const HttpRequest& request) {
  const std::string_view target = view(request.target());
  auto asset = assets ? assets(target.substr(0, target.find('?'))) : std::nullopt;
  if (!asset) return refusal(404, "there is no such page", request.keep_alive());
  HttpResponse response = make_response(200, request.keep_alive(), asset->content_type, "");
  response.set(http::field::cache_control, text_of_header(cache_control(*asset)));
  if (!asset->etag.empty()) response.set(http::field::etag, etag_header(asset->etag));
  if (names_etag(header(request, http::field::if_none_match), asset->etag)) {
    response.result(http::status::not_modified);
    response.erase(http::field::content_type);
    response.erase(http::field::content_length);
    return response;
  }
  if (!encode_for(request, *asset, response)) return refusal(500, "this file is damaged", request.keep_alive());
  response.content_length(asset->body.size());
  response.body() = std::move(asset->body);
  return response;
}

HttpResponse asset_response(const HttpAssets& assets, const HttpRequest& request) {
  HttpResponse response = asset_for(assets, request);
  if (request.method() == http::verb::head) response.body().clear();  // its length stays
  return response;
}

/// What to answer to bytes that are no request; nothing where the client is simply gone.
std::optional<HttpResponse> parse_refusal(const Error& error) {
  if (error == http::error::header_limit) return refusal(431, "the header is too long");
  if (error == http::error::body_limit) return refusal(413, "the body is too long");
  if (error.category() == http::make_error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
      error != http::error::partial_message)
    return refusal(400, "this is not HTTP: " + error.message());
  return std::nullopt;
}

void set_limits(Parser& parser, const HttpLimits& limits) {
  parser.header_limit(static_cast<uint32_t>(limits.header));
  parser.body_limit(limits.message);
}

/// Requests a second, of everybody together: a loop that went wild does not keep others out for longer than it runs.
class Bucket {
 public:
  explicit Bucket(const HttpLimits& limits) : rate_{limits.rate}, burst_{limits.burst}, tokens_{limits.burst} {}
  bool take() {
    const Clock::time_point now = Clock::now();
    tokens_ = std::min(burst_, tokens_ + rate_ * std::chrono::duration<double>(now - last_).count());
    last_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double rate_, burst_, tokens_;
  Clock::time_point last_{Clock::now()};
};

}  // namespace

/// What all connections share. Answers hold on to it, so that they may come late.
class HttpServer::Running : public std::enable_shared_from_this<Running> {
 public:
  Running(std::vector<HttpRun> the_runs, const HttpOptions& the_options, std::string token)
      : runs{std::move(the_runs)}, options{the_options}, bucket{the_options.limits}, token_{std::move(token)} {}

  support::Status open();
  void begin();
  void end();

  class Connection;
  class Socket;
  /// What waits for a client, and would do so for ever.
  class Waiting {
   public:
    virtual ~Waiting() = default;
    virtual void close() = 0;
  };

  /// From any thread: `work` on the server's, unless it has ended.
  template <class Work>
  void post(Work work) {
    const std::lock_guard lock{mutex_};
    if (!ended_) asio::post(io, std::move(work));
  }
  /// It is closed when the server ends.
  void keep_track(std::weak_ptr<Waiting> waiting) {
    std::erase_if(waiting_, [](const auto& one) { return one.expired(); });
    waiting_.push_back(std::move(waiting));
  }

  std::vector<HttpRun> runs;
  HttpOptions options;
  Bucket bucket;
  std::optional<HttpGate> gate;                     ///< once the port is known
  asio::io_context io{1};
  std::atomic<size_t> connections{};
  std::set<std::shared_ptr<Socket>> sockets;        ///< WebSockets; only on the server's thread

 private:
  bool open_port(uint16_t port, std::string& why);
  void accept(tcp::acceptor& acceptor);
  void welcome(tcp::socket socket);
  void listen(size_t run);
  void broadcast(size_t run, const std::shared_ptr<const std::string>& text);

  std::string token_;
  std::deque<tcp::acceptor> acceptors_;
  std::vector<std::weak_ptr<Waiting>> waiting_;
  std::thread thread_;
  std::mutex mutex_;
  std::atomic<bool> ended_{};
};

// --- a WebSocket

class HttpServer::Running::Socket final : public Waiting, public std::enable_shared_from_this<Socket> {
 public:
  Socket(std::shared_ptr<Running> server, tcp::socket socket, size_t run)
      : server_{std::move(server)}, stream_{std::move(socket)}, run_{run} {}
  ~Socket() override { --server_->connections; }
  void close() override { drop(); }

  void begin(HttpRequest request) {
    server_->keep_track(weak_from_this());
    websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = std::chrono::seconds{server_->options.limits.request_seconds};
    timeout.idle_timeout = std::chrono::seconds{server_->options.limits.idle_seconds};
    timeout.keep_alive_pings = true;
    stream_.set_option(timeout);
    stream_.set_option(websocket::stream_base::decorator{[](websocket::response_type& response) { add_security(response); }});
    stream_.read_message_max(server_->options.limits.message);
    request_ = std::move(request);
    stream_.async_accept(request_, [self = shared_from_this()](Error error) {
      if (error) return;
      self->server_->sockets.insert(self);
      self->read();
    });
  }

  [[nodiscard]] size_t run() const { return run_; }

  /// On the server's thread.
  void send(std::shared_ptr<const std::string> text) {
    if (dropped_) return;
    unread_ += text->size();
    outgoing_.push_back(std::move(text));
    if (unread_ > server_->options.limits.unread) return drop();
    if (outgoing_.size() == 1) write();
  }

  /// At once: who does not read would not take a farewell either.
  void drop() {
    dropped_ = true;
    server_->sockets.erase(shared_from_this());
    Error ignored;
    beast::get_lowest_layer(stream_).socket().close(ignored);
  }

 private:
  void say_farewell(websocket::close_code code, const char* reason) {
    dropped_ = true;
    server_->sockets.erase(shared_from_this());
    stream_.async_close({code, reason}, [self = shared_from_this()](Error) {});
  }

  void read() {
    reads_ = true;
    stream_.async_read(incoming_, [self = shared_from_this()](Error error, size_t) {
      self->reads_ = false;
      if (error) self->drop();
      else self->take();
    });
  }

  void take() {
    if (!stream_.got_text()) return say_farewell(websocket::close_code::unknown_data, "texts only");
    if (!server_->bucket.take()) return say_farewell(websocket::close_code::policy_error, "too many requests");
    const std::string text = beast::buffers_to_string(incoming_.data());
    incoming_.consume(incoming_.size());
    ++unanswered_;
    const HttpRun& run = server_->runs[run_];
    respond(run.queue, run.api, text, [self = shared_from_this()](std::optional<std::string> answer) {
      self->server_->post([self, answer = std::move(answer)]() mutable { self->answered(std::move(answer)); });
    });
    if (unanswered_ < server_->options.limits.unanswered) read();
  }

  void answered(std::optional<std::string> answer) {
    --unanswered_;
    if (answer) send(std::make_shared<const std::string>(std::move(*answer)));
    if (!reads_ && !dropped_) read();
  }

  void write() {
    stream_.text(true);
    stream_.async_write(asio::buffer(*outgoing_.front()), [self = shared_from_this()](Error error, size_t) {
      if (error) return self->drop();
      self->unread_ -= self->outgoing_.front()->size();
      self->outgoing_.pop_front();
      if (!self->outgoing_.empty() && !self->dropped_) self->write();
    });
  }

  std::shared_ptr<Running> server_;
  websocket::stream<beast::tcp_stream> stream_;
  size_t run_;
  HttpRequest request_;
  beast::flat_buffer incoming_;
  std::deque<std::shared_ptr<const std::string>> outgoing_;
  size_t unread_{}, unanswered_{};
  bool reads_{}, dropped_{};
};

// --- a connection that speaks HTTP

class HttpServer::Running::Connection final : public Waiting, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Running> server, tcp::socket socket)
      : server_{std::move(server)}, stream_{std::move(socket)}, buffer_{server_->options.limits.header + server_->options.limits.message} {}
  ~Connection() override {
    if (!handed_over_) --server_->connections;
  }
  void close() override { stream_.close(); }

  /// The first byte may take as long as a client is idle; then the rest has to come.
  void read() {
    parser_.emplace();
    set_limits(*parser_, server_->options.limits);
    stream_.expires_after(std::chrono::seconds{served_ ? server_->options.limits.idle_seconds : server_->options.limits.request_seconds});
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](Error error, size_t) {
      if (error) return self->failed(error);
      self->stream_.expires_after(std::chrono::seconds{self->server_->options.limits.request_seconds});
      http::async_read(self->stream_, self->buffer_, *self->parser_, [self](Error body_error, size_t) {
        if (body_error) return self->failed(body_error);
        self->take();
      });
    });
  }

  void refuse(HttpResponse response) { write(std::move(response)); }

 private:
  void failed(const Error& error) {
    if (error == beast::error::timeout) return;  // the stream is closed already
    if (auto response = parse_refusal(error)) write(std::move(*response));
  }

  void take() {
    HttpRequest request = parser_->release();
    served_ = true;
    const HttpVerdict verdict = server_->gate->judge(head_of(request));
    if (verdict.status != 200) return write(refusal(verdict.status, verdict.reason));
    if (!server_->bucket.take()) return write(refusal(429, "too many requests"));
    switch (verdict.way) {
      case HttpWay::Asset: return write(asset_response(server_->options.assets, request));
      case HttpWay::WebSocket: return hand_over(std::move(request), verdict.run);
      case HttpWay::Rpc: break;
    }
    stream_.expires_never();  // a motion takes as long as it takes
    const HttpRun& run = server_->runs[verdict.run];
    respond(run.queue, run.api, request.body(),
            [self = shared_from_this(), keep_alive = request.keep_alive()](std::optional<std::string> answer) {
              self->server_->post([self, keep_alive, answer = std::move(answer)] { self->write(rpc_response(answer, keep_alive)); });
            });
  }

  void hand_over(HttpRequest request, size_t run) {
    handed_over_ = true;
    stream_.expires_never();
    std::make_shared<Socket>(server_, stream_.release_socket(), run)->begin(std::move(request));
  }

  void write(HttpResponse response) {
    stream_.expires_after(std::chrono::seconds{server_->options.limits.answer_seconds});
    response_ = std::move(response);
    http::async_write(stream_, response_, [self = shared_from_this()](Error error, size_t) {
      if (error) return;
      if (self->response_.keep_alive()) return self->read();
      self->finish();
    });
  }

  /// Says that nothing more comes, and takes what was sent meanwhile: a reset would reach the client before the answer.
  void finish() {
    Error ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds{2});
    drain();
  }
  void drain() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](Error error, size_t count) {
      self->drained_ += count;
      if (!error && self->drained_ < 2 * self->server_->options.limits.message) self->drain();
    });
  }

  std::shared_ptr<Running> server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpResponse response_;
  size_t drained_{};
  bool served_{}, handed_over_{};
};

// --- the server

bool HttpServer::Running::open_port(uint16_t port, std::string& why) {
  acceptors_.clear();
  for (const asio::ip::address& address : {asio::ip::address{asio::ip::address_v4::loopback()}, asio::ip::address{asio::ip::address_v6::loopback()}}) {
    const tcp::endpoint endpoint{address, port};
    tcp::acceptor acceptor{io};
    Error error;
    acceptor.open(endpoint.protocol(), error);
    if (error && address.is_v6()) return true;  // a host without IPv6
    if (!error && address.is_v4()) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && address.is_v6()) acceptor.set_option(asio::ip::v6_only{true}, error);
    if (!error) acceptor.bind(endpoint, error);
    if (error == boost::system::errc::address_not_available && address.is_v6()) return true;
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      why = fmt::format("port {} of {}: {}", port, address.to_string(), error.message());
      return false;
    }
    port = acceptor.local_endpoint().port();
    acceptors_.push_back(std::move(acceptor));
  }
  return true;
}

support::Status HttpServer::Running::open() {
  constexpr int attempts = 8;  // a free port of one address may be taken at the other
  std::string why;
  for (int i = 0; i < (options.port == 0 ? attempts : 1); ++i) {
    if (!open_port(options.port, why)) continue;
    gate.emplace(acceptors_.front().local_endpoint().port(), token_, runs.size());
    return support::Unit{};
  }
  return support::Error{why};
}

void HttpServer::Running::begin() {
  for (tcp::acceptor& acceptor : acceptors_) accept(acceptor);
  for (size_t run = 0; run < runs.size(); ++run) listen(run);
  thread_ = std::thread{[this] { io.run(); }};
}

/// What this run tells, to the sockets that are its own.
void HttpServer::Running::listen(size_t run) {
  runs[run].queue.post([self = weak_from_this(), run](Api& session) {
    session.listen([self, run](std::string_view name, const Json& parameters) {
      const auto server = self.lock();
      if (server == nullptr) return;
      server->post([server, run, text = std::make_shared<const std::string>(notification(name, parameters))] { server->broadcast(run, text); });
    });
  });
}

/// What waits holds on to this, and this to what waits: it is closed, so that it ends, and is taken from the queue.
void HttpServer::Running::end() {
  {
    const std::lock_guard lock{mutex_};
    ended_ = true;
  }
  io.stop();
  thread_.join();
  acceptors_.clear();
  for (const auto& waiting : waiting_)
    if (const auto one = waiting.lock()) one->close();
  sockets.clear();
  io.restart();
  io.poll();
}

void HttpServer::Running::broadcast(size_t run, const std::shared_ptr<const std::string>& text) {
  const auto all = sockets;  // some may be dropped
  for (const auto& socket : all)
    if (socket->run() == run) socket->send(text);
}

void HttpServer::Running::accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([this, &acceptor](Error error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || ended_) return;
    if (!error) welcome(std::move(socket));
    accept(acceptor);
  });
}

void HttpServer::Running::welcome(tcp::socket socket) {
  ++connections;
  Error ignored;
  // Answers are small: without this each waits until the client has acknowledged the one before, 40 ms with Linux.
  socket.set_option(tcp::no_delay{true}, ignored);
  const auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket));
  keep_track(connection);
  if (connections > options.limits.clients) connection->refuse(refusal(503, "too many clients"));
  else connection->read();
}

HttpServer::HttpServer(std::shared_ptr<Running> running) : running_{std::move(running)} {}
HttpServer::~HttpServer() { running_->end(); }

support::Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::vector<HttpRun>& runs, const HttpOptions& options) {
  CHECK_MSG(!runs.empty(), "a server without a session");
  std::string token = make_token();
  if (token.empty()) return support::Error{"the system gives no random numbers, and a server needs a secret"};
  auto running = std::make_shared<Running>(runs, options, std::move(token));
  TRY(running->open());
  running->begin();
  return std::unique_ptr<HttpServer>{new HttpServer{std::move(running)}};
}

uint16_t HttpServer::port() const { return running_->gate->port(); }
const std::string& HttpServer::token() const { return running_->gate->token(); }
std::string HttpServer::url() const { return fmt::format("http://127.0.0.1:{}/#t={}", port(), token()); }

namespace {

HttpResponse answer_request(Api& api, const HttpGate& gate, const HttpAssets& assets, const HttpRequest& request) {
  const HttpVerdict verdict = gate.judge(head_of(request));
  if (verdict.status != 200) return refusal(verdict.status, verdict.reason);
  if (verdict.way == HttpWay::Asset) return asset_response(assets, request);
  if (verdict.way == HttpWay::WebSocket) return refusal(501, "only a connection can become a WebSocket");
  return rpc_response(respond(api, request.body()), request.keep_alive());
}

std::string text_of(HttpResponse& response) {
  std::string text;
  http::serializer<false, http::string_body> serializer{response};
  Error error;
  while (!serializer.is_done() && !error)
    serializer.next(error, [&](Error&, const auto& buffers) {
      text += beast::buffers_to_string(buffers);
      serializer.consume(beast::buffer_bytes(buffers));
    });
  return text;
}

}  // namespace

std::string answer_bytes(Api& api, const HttpGate& gate, const HttpLimits& limits, std::string_view bytes, const HttpAssets& assets) {
  std::string text;
  for (bool more = true; more && !bytes.empty();) {
    Parser parser;
    parser.eager(true);
    set_limits(parser, limits);
    Error error;
    const size_t used = parser.put(asio::buffer(bytes.data(), bytes.size()), error);
    const bool incomplete = !error && !parser.is_done();
    if (incomplete || error == http::error::need_more) break;
    bytes.remove_prefix(used);
    auto response = error ? parse_refusal(error) : answer_request(api, gate, assets, parser.release());
    if (!response) break;
    more = !error && response->keep_alive();
    text += text_of(*response);
  }
  return text;
}

}  // namespace rpc
