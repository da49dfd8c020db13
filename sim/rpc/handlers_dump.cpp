// dump: the present as files of other tools.
#include "sim/dump/dump.h"

#include "sim/rpc/desk.h"

namespace rpc {
namespace {

Answer dump(Desk& desk, const Parameters& parameters) {
  const debugger::View view = desk.session.look();
  const std::string kind = parameters.text("kind"), path = parameters.text("path"), module = parameters.text("module");
  const dump::Present present{view.machine, view.focus.vp, view.focus.vtl, view.names.images(), desk.library};
  if (path.empty()) return refuse(Code::InvalidParameters, "path is empty");
  if (kind == "listing" && module.empty()) return refuse(Code::InvalidParameters, "a listing is of a module: name it");
  const auto written = kind == "listing" ? dump::write_listing(present, module, path, {desk.session.options().source_folders, {}})
                       : kind == "core"  ? dump::write_core(present, path)
                                         : dump::write_kernel_dump(present, path, {parameters.flag("everything"), kind == "secure_kernel"});
  if (!written) return refused(written.error());
  return Json{{"path", path}, {"bytes", written.value().bytes}, {"text", written.value().text}};
}

}  // namespace

void serve_dump(Desk& desk) { serve(desk, "dump", dump); }

}  // namespace rpc
