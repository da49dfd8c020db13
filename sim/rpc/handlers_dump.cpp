// dump: the present as files of other tools.
#include "sim/dump/dump.h"

#include "sim/rpc/desk.h"

namespace rpc {
namespace {

constexpr uint64_t largest_counted = uint64_t{16} << 20;

/// A module is listed and counted in the world that announced it last: the secure kernel is loaded by VTL 0 and lives in VTL 1.
Answer listing(Desk& desk, const Parameters& parameters, const std::string& path) {
  const std::string module = parameters.text("module");
  if (module.empty()) return refuse(Code::InvalidParameters, "a listing is of a module: name it");
  debugger::Focus focus = desk.session.focus();
  dump::ListingOptions options{desk.session.options().source_folders, {}};
  std::optional<dump::CodeCoverage> counted;
  for (const loader::LoadedImage& image : desk.session.look().names.images().images()) {
    if (!symbols::matches_pattern(image.module, module) && !symbols::matches_pattern(image.name, module)) continue;
    const bool user = image.base < uint64_t{1} << 63;
    counted.emplace(image.base, std::min(image.size, largest_counted), image.vtl, user ? image.cr3 : 0);
    focus.vtl = image.vtl;
  }
  if (counted && parameters.flag("coverage", true)) {
    if (!desk.session.timeline().show_past(*counted)) return refuse(Code::Refused, "interrupted; nothing was written");
    options.coverage = counted->coverage();
  }
  const debugger::View view = TRY(or_refuse(desk.session.look(focus)));
  const dump::Present present{view.machine, view.focus.vp, view.focus.vtl, view.names.images(), desk.library};
  const auto written = dump::write_listing(present, module, path, options);
  if (!written) return refused(written.error());
  return Json{{"path", path}, {"bytes", written.value().bytes}, {"text", written.value().text}};
}

Answer dump(Desk& desk, const Parameters& parameters) {
  const std::string kind = parameters.text("kind"), path = parameters.text("path");
  if (path.empty()) return refuse(Code::InvalidParameters, "path is empty");
  if (kind == "listing") return listing(desk, parameters, path);
  const debugger::View view = desk.session.look();
  const dump::Present present{view.machine, view.focus.vp, view.focus.vtl, view.names.images(), desk.library};
  const auto written = kind == "core" ? dump::write_core(present, path)
                                      : dump::write_kernel_dump(present, path, {parameters.flag("everything"), kind == "secure_kernel"});
  if (!written) return refused(written.error());
  return Json{{"path", path}, {"bytes", written.value().bytes}, {"text", written.value().text}};
}

}  // namespace

void serve_dump(Desk& desk) { serve(desk, "dump", dump); }

}  // namespace rpc
