#include "sim/cli/export.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "sim/cli/exit_codes.h"
#include "sim/cli/replayed_trace.h"
#include "sim/cli/standard_output.h"
#include "sim/export/export.h"
#include "sim/replay/recording.h"

namespace cli {
namespace {

using exporting::Format;

struct ExportArguments {
  std::string file;
  exporting::Options options;
  int vtl{-1};
  std::vector<std::string> symbols;
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock export: {}\n", message);
  return code;
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first {}, second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

/// A trace or the event stream of a recording.
struct Input {
  trace::Meta meta;
  exporting::Source source;
};

support::Result<Input> open_recording(const std::string& path) {
  const auto recording = std::make_shared<replay::Recording>(TRY(replay::Recording::open(path)));
  const auto cursor = std::make_shared<replay::EventCursor>(recording->events_from({}));
  const auto record = std::make_shared<trace::Record>();
  return Input{{}, [recording, cursor, record]() -> support::Result<trace::Record*> {
                 auto next = TRY(cursor->next());
                 if (!next && !recording->complete()) return support::Error{recording->ending_text()};
                 if (!next) return static_cast<trace::Record*>(nullptr);
                 *record = std::move(*next);
                 return record.get();
               }};
}

/// A recording holds events but no instructions: they are made again, into a trace beside the output, which nobody sees.
support::Result<Input> open_replayed(const ExportArguments& arguments) {
  const replay::Recording recording = TRY(replay::Recording::open(arguments.file));
  const std::string path = arguments.options.path + ".trace";
  const bool full = arguments.options.format == Format::Tenet;
  const support::Status replayed =
      write_replayed_trace(recording, path, full ? trace::Detail::Full : trace::Detail::Control,
                           {arguments.options.from}, {arguments.options.to});
  auto opened = replayed ? trace::Reader::open(path) : support::Result<trace::Reader>{replayed.error()};
  std::remove(path.c_str());  // it is read as long as it is open
  if (!opened) return opened.error();
  const auto reader = std::make_shared<trace::Reader>(std::move(opened.value()));
  return Input{reader->meta(), [reader] { return reader->read(); }};
}

support::Result<Input> open_input(const ExportArguments& arguments) {
  const container::Input bytes = TRY(container::open_file(arguments.file));
  char magic[8]{};
  static_cast<void>(bytes(0, {reinterpret_cast<uint8_t*>(magic), sizeof magic}));
  if (std::memcmp(magic, replay::file_kind.magic, sizeof magic) == 0) {
    if (arguments.options.format == Format::Drcov || arguments.options.format == Format::Tenet)
      return open_replayed(arguments);
    return open_recording(arguments.file);
  }
  const auto reader = std::make_shared<trace::Reader>(TRY(trace::Reader::over(bytes)));
  if (arguments.options.format == Format::Tenet && reader->detail() != trace::Detail::Full)
    return support::Error{"a compact trace has no registers; record it with `airlock run --trace FILE --trace-full`"};
  reader->skip_to(arguments.options.from);
  return Input{reader->meta(), [reader] { return reader->read(); }};
}

int run_export(ExportArguments arguments) {
  if (arguments.vtl >= 0) {
    if (arguments.options.format == Format::Perfetto || arguments.options.format == Format::Sqlite)
      return complain(exit_usage, "--vtl is for drcov and tenet; perfetto and sqlite show the levels side by side");
    arguments.options.vtl = static_cast<uint8_t>(arguments.vtl);
  }
  if (same_file(arguments.file, arguments.options.path))
    return complain(exit_usage, fmt::format("{} would be written over itself", arguments.file));
  auto input = open_input(arguments);
  if (!input) return complain(exit_bad_input, fmt::format("{}: {}", arguments.file, input.error().message));
  loader::ImageCatalog images{arguments.symbols};
  auto exporter = exporting::create(arguments.options, input.value().meta, images);
  if (!exporter) return complain(exit_io, exporter.error().message);
  const exporting::Outcome outcome = exporting::run(arguments.options, input.value().source, images, *exporter.value());
  for (const std::string& complaint : images.complaints())
    complain(exit_ok, complaint);
  if (!outcome.written) {
    const bool writing = outcome.written.error().message.rfind("cannot ", 0) == 0;
    return complain(writing ? exit_io : exit_bad_input, writing ? outcome.written.error().message
                                                                : fmt::format("{}: {}", arguments.file,
                                                                              outcome.written.error().message));
  }
  StandardOutput out;
  out.print("{}: {}\n", arguments.options.path, outcome.summary);
  if (!out.finish()) return complain(exit_io, out.why());
  if (!outcome.read)
    return complain(exit_bad_input, fmt::format("{}: {}; what came before is in {}", arguments.file,
                                                outcome.read.error().message, arguments.options.path));
  return exit_ok;
}

}  // namespace

void register_export(CLI::App& app, int& exit_code, std::string_view default_images) {
  const auto arguments = std::make_shared<ExportArguments>();
  if (!default_images.empty()) arguments->symbols.emplace_back(default_images);
  CLI::App* command = app.add_subcommand("export", "Turn a trace into a file of another tool");
  command->add_option("file", arguments->file, "A trace or a recording (.air); of a recording, drcov and tenet are made by replaying it")->required();
  const std::map<std::string, Format> formats{
      {"perfetto", Format::Perfetto}, {"drcov", Format::Drcov}, {"sqlite", Format::Sqlite}, {"tenet", Format::Tenet}};
  command
      ->add_option("--format", arguments->options.format,
                   "perfetto: lanes of the VTLs for ui.perfetto.dev; drcov: coverage for disassemblers; sqlite: tables to "
                   "query; tenet: a window of a full trace, instruction by instruction")
      ->required()
      ->transform(CLI::CheckedTransformer(formats))
      ->type_name("NAME");
  command->add_option("-o,--output", arguments->options.path, "The file to write; an old one is replaced")->required();
  command->add_option("--from", arguments->options.from, "First instant, in instructions");
  command->add_option("--to", arguments->options.to, "Last instant");
  command->add_option("--vtl", arguments->vtl, "drcov, tenet: only this virtual trust level; tenet: 0 if not given")
      ->check(CLI::Range(0, 2));
  command->add_option("--limit", arguments->options.limit, "tenet: at most so many instructions")->capture_default_str();
  command->add_option("--symbols", arguments->symbols, "Folder of images and PDBs (may be repeated)");
  command->footer(std::string{"Examples:\n"
                              "  airlock export boot.atr --format perfetto -o boot.pftrace\n"
                              "  airlock export boot.atr --format drcov --vtl 1 -o vtl1.drcov\n"
                              "  airlock export boot.atr --format sqlite -o boot.db\n"
                              "  airlock export full.atr --format tenet --from 4012698 --limit 50000 -o window.tenet\n\n"} +
                  exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_export(*arguments); });
}

}  // namespace cli
