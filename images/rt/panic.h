#pragma once
// The end of an image that found itself in an impossible state.

namespace rt {

// Called with the text of a panic; may print it, bug-check, or stop the machine. Should not return.
using PanicHandler = void (*)(const char* text);

// Replaces the handler; null means none.
void set_panic_handler(PanicHandler handler);

// Calls the handler; without one, or if it returns, executes ud2 (an invalid-opcode exception). Never returns.
[[noreturn]] void panic(const char* text);

}  // namespace rt
