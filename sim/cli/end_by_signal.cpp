#include "sim/cli/end_by_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace cli {
namespace {

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

EndBySignal::EndBySignal() {
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

EndBySignal::~EndBySignal() {
  over_ = true;
  if (thread_.joinable()) {
    pthread_kill(thread_.native_handle(), SIGINT);
    thread_.join();
  }
  const sigset_t set = ending_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void EndBySignal::begin(rpc::CallQueue& queue) {
  thread_ = std::thread{[this, &queue] {
    const sigset_t set = ending_signals();
    constexpr int of_shells = 128;
    for (int count = 0, signal = 0; sigwait(&set, &signal) == 0 && !over_; ++count) {
      if (count > 0) _exit(of_shells + signal);
      queue.stop();
      queue.interrupt();
    }
  }};
}

}  // namespace cli
