# cmake -DFROM=<folder> -DTO=<file.cpp> -P embed_assets.cmake: the files of a folder as a table for sim/faces/web/assets.h.
# The same files make the same table: sorted, compressed without name and time. Bytes are written as numbers, which every
# compiler takes; what a browser loads is small enough for that.
cmake_minimum_required(VERSION 3.25)

file(GLOB_RECURSE files RELATIVE ${FROM} ${FROM}/*)
list(SORT files)
set(rows "")
set(arrays "")
set(number 0)
foreach(file ${files})
  if(NOT file MATCHES "^[A-Za-z0-9_./-]+$")
    message(FATAL_ERROR "${FROM}/${file}: such a name cannot be served")
  endif()
  execute_process(COMMAND gzip -9nc ${FROM}/${file} OUTPUT_FILE ${TO}.gz COMMAND_ERROR_IS_FATAL ANY)
  file(READ ${TO}.gz bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "((0x..,){32})" "\\1\n    " bytes "${bytes}")
  file(SHA256 ${FROM}/${file} hash)
  file(SIZE ${FROM}/${file} size)
  string(APPEND arrays "// ${file}\nconstexpr unsigned char file_${number}[] = {\n    ${bytes}};\n")
  string(APPEND rows "    {\"/${file}\", \"${hash}\", file_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${TO}.gz)

string(CONCAT text "// Written by cmake/embed_assets.cmake.\n#include \"sim/faces/web/assets.h\"\n\nnamespace faces::web {\nnamespace {\n\n"
  "${arrays}\nconstexpr EmbeddedAsset table[] = {\n${rows}};\n\n}  // namespace\n\n"
  "std::span<const EmbeddedAsset> embedded_assets() { return table; }\n\n}  // namespace faces::web\n")
set(before "")
if(EXISTS ${TO})
  file(READ ${TO} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${TO} "${text}")
endif()
