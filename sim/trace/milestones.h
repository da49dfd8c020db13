#pragma once
#include "sim/loader/image_catalog.h"
#include "sim/trace/image_names.h"
#include "sim/trace/run_line.h"

namespace trace {

struct MilestoneOptions {
  bool images{};       ///< also each image that is loaded
  bool debug_print{};  ///< also what guests print
};

/// One line per milestone: what a guest announces, and the great turns of the machine itself. Feeds
/// `images` with what it hears, so that each line can name the image that speaks.
class MilestonePrinter final : public support::EventSink {
 public:
  MilestonePrinter(RunLineSink sink, loader::ImageCatalog& images, MilestoneOptions options = {});
  void on(const support::Event& event) override;

 private:
  void print(const support::Event& event, std::string text);

  RunLineSink sink_;
  loader::ImageCatalog& images_;
  ImageNames names_;
  MilestoneOptions options_;
};

}  // namespace trace
