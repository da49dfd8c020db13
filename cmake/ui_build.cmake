# cmake -DSTEP=packages|page -DMODE=AUTO|ON|OFF -DNODE=<program> -DNPM=<npm-cli.js> -DFROM=<ui/> -DTO=<folder> -P ui_build.cmake
#
#   packages  <TO>/node_modules as <FROM>/package-lock.json says; <TO>/packages.txt is empty, or says why there are none
#   page      <TO>/dist, made by Vite from a copy of <FROM>, or of one text; <TO>/page.txt says that it is done
cmake_minimum_required(VERSION 3.25)

set(fetch_seconds 900)  # for all packages; on a machine with a network it takes 15

# Why there will be no page. ON: an error.
function(do_without reason)
  if(MODE STREQUAL ON)
    message(FATAL_ERROR "The debugger's page cannot be built: ${reason}")
  endif()
  if(MODE STREQUAL AUTO)
    message(NOTICE "airlock: the debugger's page is left out, a text stands in its place: ${reason}")
  endif()
  file(WRITE ${TO}/packages.txt "${reason}\n")
endfunction()

# The last lines that npm wrote about errors: it writes many.
function(npm_complaint output out)
  string(REGEX MATCHALL "npm (error|ERR!)[^\n]*" lines "${output}")
  list(FILTER lines EXCLUDE REGEX "complete log|_logs")
  list(SUBLIST lines 0 6 lines)
  list(JOIN lines "\n  " text)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

function(packages)
  if(MODE STREQUAL OFF)
    do_without("this program was configured with AIRLOCK_UI=OFF.")
    return()
  endif()
  if(NOT NODE)
    do_without("there is no Node 20.19 or 22.12 or later with npm on this machine.")
    return()
  endif()
  file(COPY ${FROM}/package.json ${FROM}/package-lock.json DESTINATION ${TO})
  # Scripts of packages are not run. Three attempts for each package and no more: a machine without a network is not to wait.
  execute_process(COMMAND ${NODE} ${NPM} ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
      --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=4000 --fetch-timeout=30000
    WORKING_DIRECTORY ${TO} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output TIMEOUT ${fetch_seconds})
  if(result EQUAL 0)
    file(WRITE ${TO}/packages.txt "")
    return()
  endif()
  # A changed package, or a lock file that does not fit: nothing that a text may stand in for.
  if(output MATCHES "EINTEGRITY|EUSAGE|EJSONPARSE")
    message(FATAL_ERROR "npm ci: ${output}")
  endif()
  npm_complaint("${output}" complaint)
  if(NOT complaint)
    set(complaint "npm ci: ${result}")
  endif()
  do_without("npm could not fetch its packages.\n  ${complaint}")
endfunction()

# A page that is complete or not there.
function(page)
  file(READ ${TO}/packages.txt complaint)
  if(complaint)
    file(REMOVE_RECURSE ${TO}/dist)
    string(STRIP "${complaint}" REASON)
    configure_file(${FROM}/../sim/faces/web/without_page.txt ${TO}/dist/index.txt @ONLY)
    file(WRITE ${TO}/page.txt "text\n")
    return()
  endif()
  copy_sources()
  execute_process(COMMAND ${NODE} node_modules/vite/bin/vite.js build --outDir dist --emptyOutDir --logLevel warn
    WORKING_DIRECTORY ${TO} COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE ${TO}/page.txt "page\n")
endfunction()

# All of ui/ but what a developer's own npm and Vite left there.
function(copy_sources)
  file(GLOB old RELATIVE ${TO} ${TO}/*)
  list(REMOVE_ITEM old node_modules dist packages.txt page.txt way.txt)
  foreach(name ${old})
    file(REMOVE_RECURSE ${TO}/${name})
  endforeach()
  file(GLOB new ${FROM}/*)
  list(FILTER new EXCLUDE REGEX "/(node_modules|dist)$")
  file(COPY ${new} DESTINATION ${TO})
endfunction()

if(STEP STREQUAL packages)
  packages()
elseif(STEP STREQUAL page)
  page()
else()
  message(FATAL_ERROR "there is no step '${STEP}'")
endif()
