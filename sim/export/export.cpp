#include "sim/export/export.h"

#include "sim/trace/image_names.h"

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

Outcome run(const Options& options, const Source& source, loader::ImageCatalog& images, Exporter& exporter) {
  support::Status read = support::Unit{};
  trace::ImageNames names{images};
  while (exporter.wants_more()) {
    const support::Result<trace::Record*> next = source();
    if (!next) read = next.error();
    if (!next || next.value() == nullptr) break;
    const trace::Record& record = *next.value();
    const auto* event = std::get_if<trace::EventRecord>(&record);
    const auto* executed = std::get_if<trace::InstructionRecord>(&record);
    const uint64_t at = event != nullptr ? event->event.at.ticks : executed->at.ticks;
    // Events may carry an instant a little before their neighbours', so only an instruction ends the range.
    if (executed != nullptr && at > options.to) break;
    if (event != nullptr) names.learn(event->view());
    // Which images there are does not depend on the range.
    const bool image = event != nullptr && (event->event.kind == EventKind::ImageLoaded ||
                                            event->event.kind == EventKind::ImageUnloaded);
    const auto level = static_cast<uint8_t>(event != nullptr ? event->event.vtl : executed->vtl);
    const bool here = at >= options.from && at <= options.to && (!options.vtl || *options.vtl == level);
    if (here || image) exporter.on(record);
    if (event != nullptr) names.forget(event->view());
  }
  support::Status written = exporter.finish();
  return {std::move(read), std::move(written), exporter.summary()};
}

}  // namespace exporting
