# The guest images: a second CMake project (images/CMakeLists.txt) with its own compiler target, built from here into
# <build>/guests. Its results: guests/images/<file> (signed), guests/images/<name>.pdb, guests/disk.img.
# No preset, sanitizer or flag of the host reaches it, so that its bytes are the same in every build folder.
include(ExternalProject)

if(AIRLOCK_GUESTS)
  find_path(AIRLOCK_GUEST_LLVM lld-link HINTS /usr/lib/llvm-19/bin DOC "LLVM 19 tools for guest images")
  if(NOT AIRLOCK_GUEST_LLVM)
    message(FATAL_ERROR "LLVM 19's lld-link is missing. Run tools/setup.")
  endif()
  ExternalProject_Add(guests
    SOURCE_DIR ${CMAKE_SOURCE_DIR}/images
    BINARY_DIR ${CMAKE_BINARY_DIR}/guests
    PREFIX ${CMAKE_BINARY_DIR}/CMakeFiles/guests
    CMAKE_GENERATOR Ninja
    CMAKE_ARGS
      -DCMAKE_TOOLCHAIN_FILE=${CMAKE_SOURCE_DIR}/cmake/windows-guest.cmake
      -DGUEST_LLVM=${AIRLOCK_GUEST_LLVM}
      -DAIRLOCK_CACHE=${AIRLOCK_CACHE}
    BUILD_ALWAYS TRUE
    USES_TERMINAL_BUILD TRUE
    INSTALL_COMMAND "")
endif()
