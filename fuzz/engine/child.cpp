#include "fuzz/engine/child.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "sim/support/state.h"

namespace fuzzing {
namespace {

/// What goes through the pipe. The writer is a copy of this program, but one that may have lost its mind.
template <class Visitor, class Self>
void visit_execution(Visitor& visit, Self& execution) {
  auto& [ending, stop, instructions, dirty_pages, actions, violations] = execution;
  visit("ending", ending)("stop", stop)("instructions", instructions)("dirty_pages", dirty_pages)("actions", actions);
  uint64_t count = violations.size();
  visit.count(count, 1);
  if constexpr (Visitor::reads) {
    if (!visit.ok()) return;
    violations.resize(count);
  }
  for (auto& violation : violations) {
    auto& [oracle, text, at, vp, vtl, rip, detail] = violation;
    visit("oracle", oracle)("text", text)("at", at)("vp", vp)("vtl", vtl)("rip", rip)("detail", detail);
  }
}

template <class Visitor, class Blocks>
void visit_blocks(Visitor& visit, Blocks& blocks) {
  uint64_t count = blocks.size();
  visit.count(count, sizeof(uint64_t) + 1);
  if constexpr (Visitor::reads) {
    if (!visit.ok()) return;
    blocks.resize(count);
  }
  for (auto& block : blocks) visit("address", block.address)("vtl", block.vtl);
}

[[noreturn]] void be_the_child(Session& session, std::span<const uint8_t> input, int to) {
  const Execution& execution = session.execute(input);
  const std::vector<cpu::GuestBlock> entered = session.coverage().entered();
  std::vector<uint8_t> bytes;
  support::StateWriter writer{bytes};
  visit_execution(writer, execution);
  visit_blocks(writer, entered);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = write(to, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno != EINTR) _exit(1);
    if (written > 0) done += static_cast<size_t>(written);
  }
  _exit(0);
}

/// Everything until the end of the pipe; false: the time is up.
bool read_all(int from, std::vector<uint8_t>& bytes, unsigned seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds{seconds};
  uint8_t buffer[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd waiting{from, POLLIN, 0};
    const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1 << 30))) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t count = read(from, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    bytes.insert(bytes.end(), buffer, buffer + count);
  }
}

}  // namespace

support::Result<ChildExecution> run_in_child(Session& session, std::span<const uint8_t> input, unsigned seconds) {
  int ends[2];
  if (pipe(ends) != 0) return support::Error{std::string{"no pipe to a child process: "} + std::strerror(errno)};
  const pid_t child = fork();
  if (child < 0) {
    const int reason = errno;
    close(ends[0]);
    close(ends[1]);
    return support::Error{std::string{"no child process: "} + std::strerror(reason)};
  }
  if (child == 0) {
    close(ends[0]);
    be_the_child(session, input, ends[1]);
  }
  close(ends[1]);
  std::vector<uint8_t> bytes;
  if (!read_all(ends[0], bytes, seconds)) (void)kill(child, SIGKILL);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ChildExecution result;
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (result.signal != 0 || result.exit_code != 0) return result;
  support::StateReader reader{bytes};
  Execution execution;
  visit_execution(reader, execution);
  visit_blocks(reader, result.entered);
  if (reader.finish().ok()) result.execution = std::move(execution);
  else result.entered.clear();
  return result;
}

}  // namespace fuzzing
