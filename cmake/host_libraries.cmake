# The libraries of cmake/dependencies.cmake as targets; static where the package has an archive.
# Nothing here may conflict with GPL-2: no OpenSSL, nor anything that links it.

set(airlock_hint "Run tools/setup, which installs and fetches what is missing.")

# airlock_library(<target> [INCLUDE <dir>] FILE <file> [LINKS <library>...])
function(airlock_library target)
  cmake_parse_arguments(A "" "INCLUDE;FILE" "LINKS" ${ARGN})
  if(NOT EXISTS ${A_FILE})
    message(FATAL_ERROR "${target}: ${A_FILE} is missing. ${airlock_hint}")
  endif()
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${A_FILE})
  if(A_INCLUDE)
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${A_INCLUDE})
  endif()
  if(A_LINKS)
    set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${A_LINKS}")
  endif()
endfunction()

function(airlock_system_library target file)
  find_library(AIRLOCK_FILE_${file} ${file})
  if(NOT AIRLOCK_FILE_${file})
    message(FATAL_ERROR "${target}: ${file} is missing. ${airlock_hint}")
  endif()
  airlock_library(${target} FILE ${AIRLOCK_FILE_${file}} ${ARGN})
endfunction()

set(debian_lib lib/x86_64-linux-gnu)
airlock_library(airlock::unicorn INCLUDE ${AIRLOCK_UNICORN_DIR}/include
  FILE ${AIRLOCK_UNICORN_DIR}/${debian_lib}/libunicorn.a LINKS pthread m)
airlock_library(airlock::capstone INCLUDE ${AIRLOCK_CAPSTONE_DIR}/include
  FILE ${AIRLOCK_CAPSTONE_DIR}/${debian_lib}/libcapstone.a)
airlock_system_library(fmt::fmt libfmt.so)
airlock_system_library(zstd libzstd.a)
airlock_system_library(SQLite::SQLite3 libsqlite3.a LINKS pthread m)
airlock_system_library(edit libedit.so)
airlock_system_library(benchmark::benchmark libbenchmark.so LINKS pthread)
airlock_library(Catch2::Catch2 INCLUDE ${AIRLOCK_CATCH2_DIR}/include
  FILE ${AIRLOCK_CATCH2_DIR}/lib/libCatch2.a)
airlock_library(Catch2::Catch2WithMain
  FILE ${AIRLOCK_CATCH2_DIR}/lib/libCatch2Main.a LINKS Catch2::Catch2)

# Headers only.
foreach(pair "CLI11::CLI11|CLI/CLI.hpp" "tomlplusplus::tomlplusplus|toml++/toml.h"
    "nlohmann_json::nlohmann_json|nlohmann/json.hpp" "Boost::beast|boost/beast.hpp")
  string(REGEX MATCH "^(.*)\\|(.*)$" _ ${pair})
  find_path(AIRLOCK_INCLUDE_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
  if(NOT AIRLOCK_INCLUDE_${CMAKE_MATCH_1})
    message(FATAL_ERROR "${CMAKE_MATCH_2} is missing. ${airlock_hint}")
  endif()
  add_library(${CMAKE_MATCH_1} INTERFACE IMPORTED GLOBAL)
endforeach()
