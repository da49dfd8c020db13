#pragma once
// What an image's entry point calls before any other C++ of that image.

namespace rt {

// Runs the constructors of this image's static objects, in the order of the object files on the link line. Call once.
// Destructors of static objects never run: atexit accepts and forgets them.
void run_static_initializers();

}  // namespace rt
