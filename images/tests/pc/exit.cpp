// Ends with the code of its command line, and prints what the tests of the command line look for.
#include "pc.h"

void kernel_main() {
  pc::print("command line: %s\n", reinterpret_cast<const char*>(uint64_t{pc::boot_information->command_line}));
  pc::exit(pc::option("exit", 0));
}
