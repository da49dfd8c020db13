#include <fmt/format.h>

#include "sim/export/buffered_file.h"
#include "sim/export/export.h"
#include "sim/trace/predictor.h"

namespace exporting {
namespace {

constexpr std::string_view names[vtl::gpr_count] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/// A line per instruction of one VP and VTL: what changed on the way to it, its RIP, and what the one before it read and
/// wrote. What was written is computed from the instruction; where the next record contradicts that, it is left out.
class Tenet final : public Exporter {
 public:
  Tenet(container::OutputFile file, const Options& options)
      : file_{std::move(file)}, vtl_{options.vtl.value_or(0)}, limit_{options.limit} {}

  void on(const trace::Record& record) override {
    const auto* executed = std::get_if<trace::InstructionRecord>(&record);
    if (executed == nullptr || static_cast<uint8_t>(executed->vtl) != vtl_) return;
    if (!executed->has_registers) {
      compact_ = true;
      return;
    }
    if (!vp_) vp_ = executed->vp;
    if (*vp_ != executed->vp || lines_ >= limit_) return;
    std::string line;
    for (size_t i = 0; i < vtl::gpr_count; ++i)
      if (lines_ == 0 || executed->registers[i] != last_.registers[i])
        line += fmt::format("{}={:#x},", names[i], executed->registers[i]);
    line += fmt::format("rip={:#x}", executed->rip);
    if (lines_ != 0) line += memory_of_last(*executed);
    line += '\n';
    file_.put(line);
    last_ = *executed;
    ++lines_;
  }

  [[nodiscard]] bool wants_more() const override { return lines_ < limit_ && !compact_; }
  support::Status finish() override {
    const support::Status closed = file_.close();
    if (compact_)
      return support::Error{"a compact trace has no registers; record it with `airlock run --trace FILE --trace-full`"};
    if (lines_ == 0) return support::Error{fmt::format("VTL {} executed no instruction there", vtl_)};
    return closed;
  }
  [[nodiscard]] std::string summary() const override {
    return fmt::format("{} instructions of VTL {}{}", lines_, vtl_, lines_ == limit_ ? " (the limit)" : "");
  }

 private:
  static std::string access(std::string_view kind, uint64_t address, std::span<const uint8_t> bytes) {
    std::string text = fmt::format(",{}={:#x}:", kind, address);
    for (const uint8_t byte : bytes)
      text += fmt::format("{:02x}", byte);
    return text;
  }

  std::string memory_of_last(const trace::InstructionRecord& now) {
    std::string text;
    if (last_.memory_size != 0)
      text += access("mr", last_.memory_address, std::span{last_.memory}.first(last_.memory_size));
    const trace::MicroOp op =
        decoder_.decode(last_.code_bits, loader::Bytes{last_.bytes}.first(last_.length));
    if (op.op == trace::Op::Other) return text;
    trace::Registers expected = last_.registers;
    const uint64_t next = trace::predict(op, vtl_, last_.rip, expected,
                                         std::span{last_.memory}.first(last_.memory_size), stores_);
    const auto written = stores_.last_write();
    if (written.size == 0 || next != now.rip || expected != now.registers) return text;
    std::array<uint8_t, 8> bytes{};
    stores_.read(vtl_, written.address, std::span{bytes}.first(written.size));
    return text + access("mw", written.address, std::span{bytes}.first(written.size));
  }

  BufferedFile file_;
  uint8_t vtl_;
  uint64_t limit_, lines_{};
  bool compact_{};
  std::optional<uint32_t> vp_;
  trace::InstructionRecord last_;
  trace::MicroOpDecoder decoder_;
  trace::MemoryShadow stores_;
};

}  // namespace

support::Result<std::unique_ptr<Exporter>> create_tenet(const Options& options) {
  return std::unique_ptr<Exporter>{new Tenet{TRY(container::OutputFile::create(options.path)), options}};
}

}  // namespace exporting
