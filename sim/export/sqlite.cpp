#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>
#include <map>
#include <set>

#include "sim/container/output_file.h"
#include "sim/export/export.h"
#include "sim/loader/pe_image.h"
#include "sim/trace/event_names.h"
#include "sim/trace/event_text.h"

namespace exporting {
namespace {

using support::Error;
using support::EventKind;
using support::Result;
using support::Status;
using support::Unit;

/// docs/exports.md explains the tables; the two change together. Numbers of 64 bits are stored as they are: SQLite shows
/// those of the upper half as negative, which printf('%x', ...) makes hexadecimal again.
constexpr const char* schema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events(id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, vp INTEGER NOT NULL, vtl INTEGER NOT NULL,
  kind TEXT NOT NULL, name TEXT, arguments TEXT, outcome TEXT, a INTEGER NOT NULL, b INTEGER NOT NULL,
  c INTEGER NOT NULL, rip INTEGER NOT NULL, place TEXT);
CREATE TABLE calls(id INTEGER PRIMARY KEY, vp INTEGER NOT NULL, caller_vtl INTEGER NOT NULL, vtl INTEGER NOT NULL,
  entry_tick INTEGER NOT NULL, return_tick INTEGER, name TEXT NOT NULL, arguments TEXT, answer TEXT,
  entry_event INTEGER NOT NULL REFERENCES events(id), return_event INTEGER REFERENCES events(id),
  instructions INTEGER);
CREATE TABLE walks(id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, vp INTEGER NOT NULL, vtl INTEGER NOT NULL,
  gva INTEGER NOT NULL, gpa INTEGER NOT NULL, access TEXT NOT NULL, rip INTEGER NOT NULL, encoded BLOB);
CREATE TABLE images(id INTEGER PRIMARY KEY, name TEXT NOT NULL, module TEXT NOT NULL, base INTEGER NOT NULL,
  size INTEGER NOT NULL, cr3 INTEGER NOT NULL, loaded_tick INTEGER NOT NULL, unloaded_tick INTEGER);
CREATE TABLE symbols(image TEXT NOT NULL, rva INTEGER NOT NULL, name TEXT NOT NULL);
CREATE TABLE instructions(vtl INTEGER NOT NULL, module TEXT NOT NULL, executed INTEGER NOT NULL);
)";
constexpr const char* indices = R"(
CREATE INDEX events_by_tick ON events(tick);
CREATE INDEX events_by_kind ON events(kind, name);
CREATE INDEX calls_by_name ON calls(name);
CREATE INDEX symbols_by_place ON symbols(image, rva);
)";

int64_t as_signed(uint64_t value) {
  int64_t out;
  std::memcpy(&out, &value, sizeof out);
  return out;
}

/// One INSERT, used again and again.
class Insert {
 public:
  Insert(sqlite3* database, const char* text) {
    sqlite3_prepare_v2(database, text, -1, &statement_, nullptr);
  }
  ~Insert() { sqlite3_finalize(statement_); }
  Insert(const Insert&) = delete;
  Insert& operator=(const Insert&) = delete;

  Insert& number(uint64_t value) {
    sqlite3_bind_int64(statement_, ++column_, as_signed(value));
    return *this;
  }
  Insert& number(std::optional<uint64_t> value) { return value ? number(*value) : nothing(); }
  /// Texts of guests may hold anything: what is not printable is escaped. Empty ones become NULL.
  Insert& text(std::string_view value) {
    if (value.empty()) return nothing();
    return plain(loader::printable(value));
  }
  Insert& plain(std::string_view value) {
    sqlite3_bind_text(statement_, ++column_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Insert& blob(std::string_view value) {
    sqlite3_bind_blob(statement_, ++column_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Insert& nothing() {
    sqlite3_bind_null(statement_, ++column_);
    return *this;
  }
  /// False if it failed: the database says why.
  bool run() {
    column_ = 0;
    const bool good = sqlite3_step(statement_) == SQLITE_DONE;
    sqlite3_reset(statement_);
    return good;
  }

 private:
  sqlite3_stmt* statement_{};
  int column_{};
};

struct Database {
  sqlite3* handle{};
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { sqlite3_close(handle); }
};

class Sqlite final : public Exporter {
 public:
  Sqlite(std::unique_ptr<Database> database, std::string path, loader::ImageCatalog& images)
      : database_{std::move(database)}, path_{std::move(path)}, images_{images} {}

  Status begin(const trace::Meta& meta) {
    TRY(execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;"));
    TRY(execute(schema));
    TRY(execute("BEGIN"));
    Insert row{database_->handle, "INSERT OR REPLACE INTO meta VALUES(?, ?)"};
    for (const auto& [key, value] : meta)
      check(row.text(key).plain(loader::printable(value)).run());
    events_.emplace(database_->handle, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
    calls_.emplace(database_->handle, "INSERT INTO calls VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
    walks_.emplace(database_->handle, "INSERT INTO walks VALUES(NULL,?,?,?,?,?,?,?,?)");
    return status();
  }

  void on(const trace::Record& record) override {
    if (const auto* executed = std::get_if<trace::InstructionRecord>(&record)) return instruction(*executed);
    const support::Event event = std::get<trace::EventRecord>(record).view();
    if (event.kind == EventKind::Walk) return walk(event);
    const uint64_t id = ++event_count_;
    const trace::EventDescription description = trace::describe(event, &images_);
    check(events_->number(id).number(event.at.ticks).number(event.vp).number(static_cast<uint64_t>(event.vtl))
              .plain(trace::name_of(event.kind)).text(description.name).text(trace::to_text(description.arguments))
              .text(description.outcome).number(event.a).number(event.b).number(event.c).number(event.rip)
              .text(images_.describe(event.rip)).run());
    follow_calls(event, id, description);
    follow_images(event);
  }

  Status finish() override {
    for (auto& [vp, open] : open_)
      for (const Call& call : open)
        write(call, {}, {}, {});
    write_images();
    Insert row{database_->handle, "INSERT INTO instructions VALUES(?, ?, ?)"};
    for (const auto& [key, count] : executed_)
      check(row.number(key.first).plain(key.second).number(count).run());
    events_.reset();
    calls_.reset();
    walks_.reset();
    if (failure_.empty()) keep(execute(indices));
    if (failure_.empty()) keep(execute("COMMIT"));
    return status();
  }
  [[nodiscard]] std::string summary() const override {
    return fmt::format("{} events, {} calls, {} walks, {} images", event_count_, call_count_, walk_count_,
                       loaded_.size());
  }

 private:
  struct Call {
    uint64_t entry{}, event{}, instructions{};
    uint32_t vp{};
    uint8_t caller{};
    std::string name, arguments;
  };
  struct Loaded {
    loader::LoadedImage image;
    uint64_t tick{};
    std::optional<uint64_t> unloaded;
  };

  Status execute(const char* text) {
    if (sqlite3_exec(database_->handle, text, nullptr, nullptr, nullptr) == SQLITE_OK) return Unit{};
    return Error{fmt::format("cannot write {}: {}", path_, sqlite3_errmsg(database_->handle))};
  }
  void check(bool good) {
    if (!good && failure_.empty())
      failure_ = fmt::format("cannot write {}: {}", path_, sqlite3_errmsg(database_->handle));
  }
  void keep(Status result) {
    if (!result && failure_.empty()) failure_ = result.error().message;
  }
  [[nodiscard]] Status status() const {
    if (!failure_.empty()) return Error{failure_};
    return Unit{};
  }

  void instruction(const trace::InstructionRecord& executed) {
    ++instructions_;
    const uint64_t cr3 = executed.registers[trace::cr3];
    const auto level = static_cast<uint8_t>(executed.vtl);
    // Runs of instructions in one image are the rule.
    if (counter_ == nullptr || executed.rip < counted_base_ || executed.rip - counted_base_ >= counted_size_ ||
        counted_vtl_ != level || counted_cr3_ != cr3 || counted_images_ != images_.images().size()) {
      const loader::LoadedImage* image = images_.find(executed.rip, cr3);
      counter_ = &executed_[{level, image == nullptr ? "(no image)" : image->module}];
      counted_base_ = image == nullptr ? executed.rip : image->base;
      counted_size_ = image == nullptr ? 1 : image->size;
      counted_vtl_ = level;
      counted_cr3_ = cr3;
      counted_images_ = images_.images().size();
    }
    ++*counter_;
  }

  void walk(const support::Event& event) {
    ++walk_count_;
    constexpr std::string_view names[] = {"read", "write", "execute"};
    check(walks_->number(event.at.ticks).number(event.vp).number(static_cast<uint64_t>(event.vtl)).number(event.a)
              .number(event.b).plain(event.c < 3 ? names[event.c] : "unknown").number(event.rip).blob(event.text).run());
  }

  void follow_calls(const support::Event& event, uint64_t id, const trace::EventDescription& description) {
    std::vector<Call>& open = open_[event.vp];
    if (event.kind == EventKind::VtlCall || event.kind == EventKind::VtlInterruptEntry) {
      if (open.size() >= 8) return;  // no machine has so many levels: the trace is damaged
      std::string name = description.name.empty() ? std::string{trace::name_of(event.kind)} : description.name;
      open.push_back({event.at.ticks, id, instructions_, event.vp, static_cast<uint8_t>(event.vtl), std::move(name),
                      trace::to_text(description.arguments)});
    } else if (event.kind == EventKind::VtlReturn && !open.empty()) {
      std::string answer = description.name;
      if (!description.arguments.empty()) answer += fmt::format("({})", trace::to_text(description.arguments));
      if (!description.outcome.empty()) answer += fmt::format("{}{}", answer.empty() ? "" : " = ", description.outcome);
      write(open.back(), event.at.ticks, id, answer);
      open.pop_back();
    }
  }
  void write(const Call& call, std::optional<uint64_t> tick, std::optional<uint64_t> event, std::string_view answer) {
    check(calls_->number(++call_count_).number(call.vp).number(call.caller).number(call.caller + 1u).number(call.entry)
              .number(tick).text(call.name).text(call.arguments).text(answer).number(call.event).number(event)
              .number(tick ? std::optional{instructions_ - call.instructions} : std::nullopt).run());
  }

  void follow_images(const support::Event& event) {
    if (event.kind == EventKind::ImageLoaded && !images_.images().empty()) {
      const loader::LoadedImage& image = images_.images().back();
      if (image.base == event.a) loaded_.push_back({image, event.at.ticks, {}});
    } else if (event.kind == EventKind::ImageUnloaded) {
      for (auto loaded = loaded_.rbegin(); loaded != loaded_.rend(); ++loaded)
        if (loaded->image.base == event.a && !loaded->unloaded) {
          loaded->unloaded = event.at.ticks;
          break;
        }
    }
  }
  void write_images() {
    Insert row{database_->handle, "INSERT INTO images VALUES(NULL,?,?,?,?,?,?,?)"};
    Insert symbol{database_->handle, "INSERT INTO symbols VALUES(?, ?, ?)"};
    std::set<std::string> written;
    for (const Loaded& loaded : loaded_) {
      const loader::LoadedImage& image = loaded.image;
      check(row.text(image.name).text(image.module).number(image.base).number(image.size).number(image.cr3)
                .number(loaded.tick).number(loaded.unloaded).run());
      if (image.symbols == nullptr || !written.insert(image.name).second) continue;
      for (const loader::PdbSymbol& named : image.symbols->symbols())
        check(symbol.text(image.name).number(uint64_t{named.rva}).plain(loader::printable(named.name)).run());
    }
  }

  std::unique_ptr<Database> database_;
  std::string path_;
  loader::ImageCatalog& images_;
  std::optional<Insert> events_, calls_, walks_;
  std::map<uint32_t, std::vector<Call>> open_;
  std::vector<Loaded> loaded_;
  std::map<std::pair<uint8_t, std::string>, uint64_t> executed_;
  uint64_t* counter_{};
  uint64_t counted_base_{}, counted_size_{}, counted_cr3_{};
  size_t counted_images_{};
  uint8_t counted_vtl_{};
  uint64_t event_count_{}, call_count_{}, walk_count_{}, instructions_{};
  std::string failure_;
};

}  // namespace

Result<std::unique_ptr<Exporter>> create_sqlite(const Options& options, const trace::Meta& meta,
                                                loader::ImageCatalog& images) {
  // An old file would be added to.
  container::OutputFile file = TRY(container::OutputFile::create(options.path));
  TRY(file.close());
  auto database = std::make_unique<Database>();
  if (sqlite3_open(options.path.c_str(), &database->handle) != SQLITE_OK)
    return Error{fmt::format("cannot create {}: {}", options.path, sqlite3_errmsg(database->handle))};
  auto exporter = std::make_unique<Sqlite>(std::move(database), options.path, images);
  TRY(exporter->begin(meta));
  return std::unique_ptr<Exporter>{std::move(exporter)};
}

}  // namespace exporting
