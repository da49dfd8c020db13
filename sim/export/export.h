#pragma once
// What happened in a run, as files of other tools.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sim/loader/image_catalog.h"
#include "sim/support/result.h"
#include "sim/trace/image_names.h"
#include "sim/trace/reader.h"

namespace exporting {

enum class Format : uint8_t { Perfetto, Drcov, Sqlite, Tenet };

struct Options {
  Format format{};
  std::string path;            ///< of the file to write
  std::optional<uint8_t> vtl;  ///< only this level; Tenet: 0 if not given
  uint64_t from{};             ///< first and last instant, both included
  uint64_t to{~uint64_t{0}};
  uint64_t limit{1'000'000};  ///< Tenet: lines
};

/// Takes records one after the other. Images are in the catalogue before a record names them.
class Exporter {
 public:
  virtual ~Exporter() = default;
  virtual void on(const trace::Record& record) = 0;
  /// False: it has had enough.
  [[nodiscard]] virtual bool wants_more() const { return true; }
  /// Completes the file. Says why it could not be written, or what it could not hold.
  virtual support::Status finish() = 0;
  /// What it contains, as a sentence for the user; after finish().
  [[nodiscard]] virtual std::string summary() const = 0;
};

/// Creates or truncates the file. `images` must outlive the exporter.
[[nodiscard]] support::Result<std::unique_ptr<Exporter>> create(const Options& options, const trace::Meta& meta,
                                                                loader::ImageCatalog& images);

/// Hands an exporter what the options ask for, record by record, and keeps the catalogue up to date.
class Feed {
 public:
  /// All must outlive this.
  Feed(const Options& options, loader::ImageCatalog& images, Exporter& exporter) : options_{options}, names_{images}, exporter_{exporter} {}
  /// Records come in the order of time. False: nothing more is wanted.
  bool take(const trace::Record& record);

 private:
  const Options& options_;
  trace::ImageNames names_;
  Exporter& exporter_;
};

/// The next record, or null at the end, or why there are no more; what was read before is good.
using Source = std::function<support::Result<trace::Record*>()>;

struct Outcome {
  support::Status read;     ///< whether the source came to its end
  support::Status written;  ///< whether the file is complete
  std::string summary;
};

/// Reads everything that the options ask for. A file is completed with what was readable.
[[nodiscard]] Outcome run(const Options& options, const Source& source, loader::ImageCatalog& images,
                          Exporter& exporter);

// The four, for create().
[[nodiscard]] support::Result<std::unique_ptr<Exporter>> create_perfetto(const Options& options,
                                                                         loader::ImageCatalog& images);
[[nodiscard]] support::Result<std::unique_ptr<Exporter>> create_drcov(const Options& options,
                                                                      loader::ImageCatalog& images);
[[nodiscard]] support::Result<std::unique_ptr<Exporter>> create_sqlite(const Options& options, const trace::Meta& meta,
                                                                       loader::ImageCatalog& images);
[[nodiscard]] support::Result<std::unique_ptr<Exporter>> create_tenet(const Options& options);

}  // namespace exporting
