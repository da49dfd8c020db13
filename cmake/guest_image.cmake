# How a guest image is made. For the authors of guest folders:
#
#   guest_image(<name> KIND exe|dll|sys|efi ENTRY <symbol> BASE <address> SOURCES <file>...
#               [SUBSYSTEM native|windows|console|efi_application] [IMPORTS <image>...] [LIBS <guest library>...]
#               [DEF <file.def>] [LINK_OPTIONS <lld-link option>...] [SIGN <identity>|none])
#       Links <name>.<KIND> and signs it: <build>/images/<name>.<KIND>, with <name>.pdb beside.
#       SUBSYSTEM  native, and efi_application for KIND efi, unless named
#       IMPORTS    names of other images; each needs a guest_import_library (or a DEF in its guest_image)
#       DEF        exports, and at the same time the import library for others
#       SIGN       an identity of cmake/guest_signing.cmake; `windows` unless named; none leaves the image unsigned
#   guest_import_library(<name> DEF <file.def>)
#       The import library of an image, made before any link, so that cycles of imports are possible.
#   guest_library(<name> SOURCES <file>... [LIBS <guest library>...])
#       A static library of guest objects.
#
# Sources are C++23 (libc++ headers, no library), C11 or .S (clang's assembler, .intel_syntax noprefix). They include
# "abi/..." (the contract), "rt/..." (the runtime, linked into every image) and their own folder.
# Images are byte-reproducible: whatever a tool records (paths, times, command lines) is relative or fixed.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_MSVC_RUNTIME_LIBRARY "")
foreach(language C CXX ASM)
  set(CMAKE_${language}_FLAGS "")
endforeach()

find_program(AIRLOCK_CCACHE ccache)
set(launcher)
if(AIRLOCK_CCACHE AND NOT AIRLOCK_NO_CCACHE)
  set(launcher /usr/bin/env CCACHE_BASEDIR=${ROOT} CCACHE_NOHASHDIR=1 ${AIRLOCK_CCACHE})
endif()
file(CREATE_LINK ${ROOT} ${CMAKE_BINARY_DIR}/source SYMBOLIC)
set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
set(CMAKE_CXX_COMPILER_LAUNCHER ${ROOT}/tools/guest-compile ${ROOT} ${launcher})

# lld-link is called by itself: no compiler driver, no manifest, no default library or subsystem.
set(guest_link "<CMAKE_LINKER> /nologo <LINK_FLAGS> <OBJECTS> /out:<TARGET> /implib:<TARGET_IMPLIB> /pdb:<TARGET_PDB> <LINK_LIBRARIES>")
set(guest_link_dll "<CMAKE_LINKER> /nologo /dll <LINK_FLAGS> <OBJECTS> /out:<TARGET> /implib:<TARGET_IMPLIB> /pdb:<TARGET_PDB> <LINK_LIBRARIES>")
foreach(language C CXX)
  set(CMAKE_${language}_LINK_EXECUTABLE "${guest_link}")
  set(CMAKE_${language}_CREATE_SHARED_LIBRARY "${guest_link_dll}")
  set(CMAKE_${language}_CREATE_CONSOLE_EXE "")
endforeach()
set(CMAKE_CREATE_CONSOLE_EXE "")
set(CMAKE_SHARED_LIBRARY_PREFIX "")
set(CMAKE_STATIC_LIBRARY_PREFIX "")

# Code generation, for every guest object. Without -ffreestanding: it would drop the unwind tables and turn small
# memcpy into calls; -nostdlibinc is what keeps the host's C library out.
add_library(guest_objects INTERFACE)
target_compile_options(guest_objects INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-O2 -g -gcodeview
    -funwind-tables -fno-stack-protector -mno-red-zone -mgeneral-regs-only -mcx16 -ffunction-sections -fdata-sections
    -nostdlibinc
    -mno-incremental-linker-compatible -gno-codeview-command-line -fdebug-compilation-dir=.
    -ffile-prefix-map=${ROOT}=airlock -ffile-prefix-map=/proc/self/cwd/source=airlock
    -ffile-prefix-map=${CMAKE_BINARY_DIR}=build>
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics -nostdinc++>
  $<$<COMPILE_LANGUAGE:ASM>:-mno-incremental-linker-compatible>)

target_include_directories(guest_objects SYSTEM INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:${ROOT}/images/libcxx-site> $<$<COMPILE_LANGUAGE:CXX>:${GUEST_LLVM}/../include/c++/v1>
  $<$<COMPILE_LANGUAGE:C,CXX>:${ROOT}/images/libc>)

# What guest sources may include, and how strictly they are read.
add_library(guest_options INTERFACE)
target_link_libraries(guest_options INTERFACE guest_objects)
target_include_directories(guest_options INTERFACE ${ROOT}/vtl ${ROOT}/images)
target_compile_options(guest_options INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wshadow -Werror -Wno-ignored-attributes -Wno-multichar
    -Wno-four-char-constants>)

set(guest_link_options
  /machine:x64 /nodefaultlib /osversion:10.0 /dynamicbase /highentropyva /nxcompat /filealign:4096
  /incremental:no /opt:ref /opt:noicf /guard:no /debug:full /Brepro /pdbsourcepath:C:/airlock /merge:.CRT=.rdata)

function(guest_import_library name)
  cmake_parse_arguments(A "" "DEF" "" ${ARGN})
  if(NOT A_DEF)
    message(FATAL_ERROR "guest_import_library(${name}): DEF is missing")
  endif()
  # Copied and named relatively, because lld-link records its command line in the PDB.
  set(def ${CMAKE_BINARY_DIR}/defs/${name}.def)
  set(lib ${CMAKE_BINARY_DIR}/imports/${name}.lib)
  configure_file(${A_DEF} ${def} COPYONLY)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/imports)
  add_custom_command(OUTPUT ${lib} DEPENDS ${def}
    COMMAND ${GUEST_LLVM}/llvm-dlltool -m i386:x86-64 -d ${def} -l ${lib} VERBATIM)
  add_custom_target(${name}_import_library DEPENDS ${lib})
  add_library(${name}_import INTERFACE)
  target_link_libraries(${name}_import INTERFACE ${lib})
  set_target_properties(${name}_import PROPERTIES INTERFACE_LINK_DEPENDS ${lib})
  add_dependencies(${name}_import ${name}_import_library)
endfunction()

function(guest_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC ${A_LIBS} PRIVATE guest_options)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()

function(guest_image name)
  cmake_parse_arguments(A "" "KIND;ENTRY;BASE;SUBSYSTEM;DEF;SIGN" "SOURCES;IMPORTS;LIBS;LINK_OPTIONS" ${ARGN})
  if(NOT A_KIND MATCHES "^(exe|dll|sys|efi)$" OR NOT A_ENTRY OR NOT A_BASE OR NOT A_SOURCES OR A_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "guest_image(${name}) needs KIND exe|dll|sys|efi, ENTRY, BASE and SOURCES; "
      "not understood: '${A_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT A_SUBSYSTEM)
    set(A_SUBSYSTEM native)
    if(A_KIND STREQUAL efi)
      set(A_SUBSYSTEM efi_application)
    endif()
  endif()
  if(NOT A_SUBSYSTEM STREQUAL efi_application)
    string(APPEND A_SUBSYSTEM ",10.0")
  endif()
  if(A_KIND MATCHES "^(exe|efi)$")
    add_executable(${name} ${A_SOURCES})
  else()
    add_library(${name} SHARED ${A_SOURCES})
  endif()
  set_target_properties(${name} PROPERTIES
    SUFFIX .${A_KIND}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unsigned
    ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unsigned
    PDB_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/images
    LINKER_LANGUAGE CXX)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_options(${name} PRIVATE ${guest_link_options} /subsystem:${A_SUBSYSTEM} /entry:${A_ENTRY}
    /base:${A_BASE} /pdbaltpath:${name}.pdb ${A_LINK_OPTIONS})
  if(A_DEF)
    if(NOT TARGET ${name}_import)
      guest_import_library(${name} DEF ${A_DEF})
    endif()
    target_link_options(${name} PRIVATE /def:defs/${name}.def)
    set_target_properties(${name} PROPERTIES LINK_DEPENDS ${CMAKE_BINARY_DIR}/defs/${name}.def)
  endif()
  list(TRANSFORM A_IMPORTS APPEND _import OUTPUT_VARIABLE import_libraries)
  target_link_libraries(${name} PRIVATE guest_options ${A_LIBS} guest_rt ${import_libraries})
  set_property(GLOBAL APPEND PROPERTY GUEST_IMPORTS ${A_IMPORTS})
  if(NOT A_SIGN)
    set(A_SIGN windows)
  endif()
  guest_sign(${name} ${name}.${A_KIND} ${A_SIGN})
endfunction()

# Called last: what only the whole project can know.
function(guest_finish)
  get_property(imports GLOBAL PROPERTY GUEST_IMPORTS)
  list(REMOVE_DUPLICATES imports)
  foreach(import ${imports})
    if(NOT TARGET ${import}_import)
      message(WARNING "An image imports from '${import}', for which no folder calls "
        "guest_import_library(${import} DEF ...) or guest_image(${import} ... DEF ...)")
    endif()
  endforeach()
endfunction()
