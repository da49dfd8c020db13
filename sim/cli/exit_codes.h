#pragma once
// What the program answers to the shell. `airlock --help` prints this list.

namespace cli {

enum ExitCode : int {
  exit_ok = 0,  ///< done; for `run`: the machine powered off, or the --until condition was reached
  exit_different = 1,    ///< a replay diverged from its recording, or two recordings differ
  exit_usage = 2,        ///< the command line cannot be understood
  exit_environment = 3,  ///< something that the program needs is missing or does not fit (images,
                         ///< tools, the engine)
  exit_bad_input = 4,    ///< a file that was given is missing, malformed or damaged
  exit_io = 5,           ///< writing failed (disk full, no permission)
  exit_abnormal =
      6,  ///< the machine stopped abnormally (triple fault, instruction limit, engine failure)
  exit_internal = 7,  ///< a failure of Airlock itself
};

inline constexpr const char* exit_code_help =
    "Exit codes:\n"
    "  0  done\n"
    "  1  a replay diverged, or two recordings differ\n"
    "  2  the command line cannot be understood\n"
    "  3  something that the program needs is missing\n"
    "  4  an input file is missing, malformed or damaged\n"
    "  5  writing failed\n"
    "  6  the machine stopped abnormally\n"
    "  7  a failure of Airlock itself";

}  // namespace cli
