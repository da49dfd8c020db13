#include "sim/export/export.h"


namespace exporting {
namespace {

using support::EventKind;

}  // namespace

support::Result<std::unique_ptr<Exporter>> create(const Options& options, const trace::Meta& meta,
                                                  loader::ImageCatalog& images) {
  switch (options.format) {
    case Format::Perfetto: return create_perfetto(options, images);
    case Format::Drcov: return create_drcov(options, images);
    case Format::Sqlite: return create_sqlite(options, meta, images);
    case Format::Tenet: return create_tenet(options);
  }
  return support::Error{"unknown format"};
}

bool Feed::take(const trace::Record& record) {
  const auto* event = std::get_if<trace::EventRecord>(&record);
  const auto* executed = std::get_if<trace::InstructionRecord>(&record);
  const uint64_t at = event != nullptr ? event->event.at.ticks : executed->at.ticks;
  // Events may carry an instant a little before their neighbours', so only an instruction ends the range.
  if (executed != nullptr && at > options_.to) return false;
  if (event != nullptr) names_.learn(event->view());
  // Which images there are does not depend on the range.
  const bool image = event != nullptr && (event->event.kind == EventKind::ImageLoaded ||
                                          event->event.kind == EventKind::ImageUnloaded);
  const auto level = static_cast<uint8_t>(event != nullptr ? event->event.vtl : executed->vtl);
  const bool here = at >= options_.from && at <= options_.to && (!options_.vtl || *options_.vtl == level);
  if (here || image) exporter_.on(record);
  if (event != nullptr) names_.forget(event->view());
  return exporter_.wants_more();
}

Outcome run(const Options& options, const Source& source, loader::ImageCatalog& images, Exporter& exporter) {
  support::Status read = support::Unit{};
  Feed feed{options, images, exporter};
  while (exporter.wants_more()) {
    const support::Result<trace::Record*> next = source();
    if (!next) read = next.error();
    if (!next || next.value() == nullptr || !feed.take(*next.value())) break;
  }
  support::Status written = exporter.finish();
  return {std::move(read), std::move(written), exporter.summary()};
}

}  // namespace exporting
