# How host code is compiled. Every host target links airlock_options; guests never see it.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})  # the program is build/<preset>/airlock
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")  # without NDEBUG: assert and CHECK are on
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")   # CHECK is not assert and stays on
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

# Compiled objects are shared between presets, folders and clones.
find_program(AIRLOCK_CCACHE ccache)
if(AIRLOCK_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${AIRLOCK_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER /usr/bin/env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${AIRLOCK_CCACHE})
endif()

add_library(airlock_options INTERFACE)
target_compile_options(airlock_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Werror
  # TRY() is a GNU statement expression, the one extension in use.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-gnu-statement-expression>
  # GCC 12 sees uninitialised members in moved std::variant and std::function that are not there.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  # It also sees a string's own text overlap with a literal that is put before it (its PR 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Debug information must not name the build folder.
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.
  # A precompiled header that ccache can recognise.
  $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)

# The linker of the guests' toolchain needs a quarter of the time of the system's.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  find_program(AIRLOCK_LLD ld.lld-19)
  if(AIRLOCK_LLD)
    add_link_options(--ld-path=${AIRLOCK_LLD})
  endif()
endif()

if(AIRLOCK_SANITIZE)
  target_compile_options(airlock_options INTERFACE -fsanitize=${AIRLOCK_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(airlock_options INTERFACE -fsanitize=${AIRLOCK_SANITIZE})
endif()
if(AIRLOCK_FUZZ)
  target_compile_options(airlock_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(airlock_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
