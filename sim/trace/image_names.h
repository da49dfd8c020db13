#pragma once
#include <string>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/support/events.h"

namespace trace {

/// Keeps a catalogue of images as guests announce them. The secure kernel announces a trustlet's images with its own tables,
/// and then the trustlet with those of the trustlet: its images are known by these too, so that two trustlets at one address
/// keep their names.
class ImageNames {
 public:
  /// `images` must outlive this.
  explicit ImageNames(loader::ImageCatalog& images) : images_{&images} {}

  /// Before the event is shown.
  void learn(const support::Event& event) {
    using support::EventKind;
    const bool in_vtl1 = event.vtl == abi::hv::Vtl::Vtl1;
    if (event.kind == EventKind::ProcessCreated && in_vtl1) {
      for (const Announced& image : of_the_next_trustlet_) images_->load(image.name, image.base, image.size, event.b, event.vtl);
      of_the_next_trustlet_.clear();
    }
    if (event.kind != EventKind::ImageLoaded) return;
    images_->load(event.text, event.a, event.b, event.c, event.vtl);
    const bool user = event.a >> 63 == 0;
    if (in_vtl1 && user && of_the_next_trustlet_.size() < most_images_of_a_trustlet)
      of_the_next_trustlet_.push_back({std::string{event.text}, event.a, event.b});
  }
  /// After it was shown.
  void forget(const support::Event& event) {
    if (event.kind == support::EventKind::ImageUnloaded) images_->unload(event.text, event.a);
  }

 private:
  static constexpr size_t most_images_of_a_trustlet = 256;
  struct Announced {
    std::string name;
    uint64_t base{}, size{};
  };
  loader::ImageCatalog* images_;
  std::vector<Announced> of_the_next_trustlet_;
};

}  // namespace trace
