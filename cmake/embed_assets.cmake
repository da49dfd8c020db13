# cmake -DFROM=<folder> -DTO=<file.cpp> [-DNODE=<program>] -P embed_assets.cmake: the files of a folder as a table for sim/faces/web/assets.h.
# The same files make the same table: sorted, compressed without name and time. Bytes are written as numbers, which every
# compiler takes; what a browser loads is small enough for that.
cmake_minimum_required(VERSION 3.25)

# Brotli takes a seventh less than gzip; Node has it, and built the page (a text that stands in its place had none to).
set(compress "const [,from,to]=process.argv,z=require('node:zlib'),f=require('node:fs')\;"
  "f.writeFileSync(to,z.brotliCompressSync(f.readFileSync(from),{params:{[z.constants.BROTLI_PARAM_QUALITY]:11,[z.constants.BROTLI_PARAM_LGWIN]:22}}))")
string(CONCAT compress ${compress})

# The bytes of a file as an array.
macro(append_array name path)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "((0x..,){32})" "\\1\n    " bytes "${bytes}")
  string(APPEND arrays "// ${file}\nconstexpr unsigned char ${name}[] = {\n    ${bytes}};\n")
endmacro()

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
  append_array(gzip_${number} ${TO}.gz)
  set(brotli "{}")
  if(NODE AND EXISTS ${FROM}/index.html)
    execute_process(COMMAND ${NODE} -e "${compress}" ${FROM}/${file} ${TO}.br COMMAND_ERROR_IS_FATAL ANY)
    append_array(brotli_${number} ${TO}.br)
    set(brotli brotli_${number})
  endif()
  file(SHA256 ${FROM}/${file} hash)
  file(SIZE ${FROM}/${file} size)
  string(APPEND rows "    {\"/${file}\", \"${hash}\", gzip_${number}, ${brotli}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${TO}.gz ${TO}.br)

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
