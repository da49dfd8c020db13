#include "sim/cli/recorded_parts.h"

#include "sim/cli/session.h"
#include "sim/loader/pe_image.h"
#include "sim/replay/recording_format.h"

namespace cli {

support::Result<machine::MachineParts> recorded_parts(const replay::Recording& recording) {
  if (recording.facts().embedded) return recording.images();
  if (recording.facts().config.board == loader::Board::Pc)
    return support::Error{"the recording is of a kernel and does not carry it; record it with --embed"};
  const std::string folder = guest_folder();
  if (folder.empty())
    return support::Error{"the recording carries no images and those of the build were not found beside the program"};
  machine::MachineParts parts;
  parts.firmware = TRY(loader::read_file(folder + "/images/firmware.efi", replay::maximum_firmware));
  if (recording.facts().disk) parts.disk = TRY(machine::DiskImage::open(folder + "/disk.img"));
  return parts;
}

}  // namespace cli
