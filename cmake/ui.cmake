# The debugger's page: the sources in ui/, the packages of their lock file, Vite, files in the program. All of it happens in
# ${AIRLOCK_UI_DIR} of the build folder, which is a copy of ui/ with its node_modules; the source tree stays as it is.
#
#   AIRLOCK_UI=AUTO  where Node is new enough and the packages can be had; else the program carries a text that says how to
#                    get them, and the build says so once. Configuring again tries again, as does `./airlock build`
#   AIRLOCK_UI=ON    what is missing is an error
#   AIRLOCK_UI=OFF   the text
set(AIRLOCK_UI AUTO CACHE STRING "The debugger's page: AUTO (where it can be built), ON or OFF")
set_property(CACHE AIRLOCK_UI PROPERTY STRINGS AUTO ON OFF)
set(AIRLOCK_UI_DIR ${CMAKE_BINARY_DIR}/ui)

# The rule of airlock_node in cmake/dependencies.cmake; tools/setup has it too.
function(airlock_will_do version instead out)
  set(will_do FALSE)
  set(newest 0)
  string(REGEX MATCH "^[0-9]+" line "${version}")
  foreach(oldest ${instead})
    string(REGEX MATCH "^[0-9]+" its_line "${oldest}")
    if(line STREQUAL its_line AND NOT version VERSION_LESS oldest)
      set(will_do TRUE)
    endif()
    if(its_line GREATER newest)
      set(newest ${its_line})
    endif()
  endforeach()
  if(line GREATER newest)
    set(will_do TRUE)
  endif()
  set(${out} ${will_do} PARENT_SCOPE)
endfunction()

# npm as a script that any Node can run: what is called npm may be another program that looks for both.
function(airlock_npm_script node npm out)
  file(REAL_PATH ${npm} script)
  if(NOT script MATCHES "\\.js$")
    execute_process(COMMAND ${node} -p process.execPath OUTPUT_VARIABLE script OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    cmake_path(GET script PARENT_PATH script)
    string(APPEND script "/../lib/node_modules/npm/bin/npm-cli.js")
  endif()
  if(NOT EXISTS "${script}")
    set(script "")
  endif()
  set(${out} "${script}" PARENT_SCOPE)
endfunction()

# AIRLOCK_NODE, AIRLOCK_NPM: the machine's Node if it will do, else that of the cache, else nothing. npm runs on the same
# one, because it leaves out packages that do not fit the Node that it runs on.
function(airlock_find_node)
  set(AIRLOCK_NODE "" PARENT_SCOPE)
  set(AIRLOCK_NPM "" PARENT_SCOPE)
  find_program(AIRLOCK_MACHINE_NODE node)
  find_program(AIRLOCK_MACHINE_NPM npm)
  if(AIRLOCK_MACHINE_NODE AND AIRLOCK_MACHINE_NPM)
    execute_process(COMMAND ${AIRLOCK_MACHINE_NODE} --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    string(REGEX REPLACE "^v" "" version "${version}")
    airlock_will_do("${version}" "${AIRLOCK_NODE_INSTEAD}" will_do)
    airlock_npm_script(${AIRLOCK_MACHINE_NODE} ${AIRLOCK_MACHINE_NPM} script)
    if(will_do AND script)
      set(AIRLOCK_NODE ${AIRLOCK_MACHINE_NODE} PARENT_SCOPE)
      set(AIRLOCK_NPM ${script} PARENT_SCOPE)
      return()
    endif()
  endif()
  if(EXISTS ${AIRLOCK_NODE_DIR}/bin/node AND EXISTS ${AIRLOCK_NPM_DIR}/bin/npm-cli.js)
    set(AIRLOCK_NODE ${AIRLOCK_NODE_DIR}/bin/node PARENT_SCOPE)
    set(AIRLOCK_NPM ${AIRLOCK_NPM_DIR}/bin/npm-cli.js PARENT_SCOPE)
  endif()
endfunction()

if(NOT AIRLOCK_UI MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "AIRLOCK_UI is AUTO, ON or OFF, not '${AIRLOCK_UI}'")
endif()
airlock_find_node()

# What failed is tried again by who configures again.
if(EXISTS ${AIRLOCK_UI_DIR}/packages.txt)
  file(READ ${AIRLOCK_UI_DIR}/packages.txt ui_complaint)
  if(ui_complaint)
    file(REMOVE ${AIRLOCK_UI_DIR}/packages.txt)
  endif()
endif()

file(GLOB ui_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/*.*)
file(GLOB_RECURSE ui_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/src/* ${CMAKE_SOURCE_DIR}/ui/public/* ${CMAKE_SOURCE_DIR}/ui/test/*)
set(ui_script ${CMAKE_SOURCE_DIR}/cmake/ui_build.cmake)
set(ui_variables -DMODE=${AIRLOCK_UI} -DNODE=${AIRLOCK_NODE} -DNPM=${AIRLOCK_NPM} -DFROM=${CMAKE_SOURCE_DIR}/ui -DTO=${AIRLOCK_UI_DIR})

# A file that changes with the way the packages are to be had, so that another Node or another mode is no old answer.
file(GENERATE OUTPUT ${AIRLOCK_UI_DIR}/way.txt CONTENT "${AIRLOCK_UI} ${AIRLOCK_NODE} ${AIRLOCK_NPM}\n")

add_custom_command(OUTPUT ${AIRLOCK_UI_DIR}/packages.txt
  COMMAND ${CMAKE_COMMAND} -DSTEP=packages ${ui_variables} -P ${ui_script}
  DEPENDS ${ui_script} ${AIRLOCK_UI_DIR}/way.txt ${CMAKE_SOURCE_DIR}/ui/package.json ${CMAKE_SOURCE_DIR}/ui/package-lock.json
  COMMENT "Fetching the packages of the debugger's page" VERBATIM)
add_custom_command(OUTPUT ${AIRLOCK_UI_DIR}/page.txt
  COMMAND ${CMAKE_COMMAND} -DSTEP=page ${ui_variables} -P ${ui_script}
  DEPENDS ${ui_script} ${AIRLOCK_UI_DIR}/packages.txt ${ui_files} ${ui_sources} ${CMAKE_SOURCE_DIR}/sim/faces/web/without_page.txt
  COMMENT "Building the debugger's page" VERBATIM)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/embedded_assets.cpp
  COMMAND ${CMAKE_COMMAND} -DFROM=${AIRLOCK_UI_DIR}/dist -DTO=${CMAKE_BINARY_DIR}/generated/embedded_assets.cpp -DNODE=${AIRLOCK_NODE}
    -P ${CMAKE_SOURCE_DIR}/cmake/embed_assets.cmake
  DEPENDS ${CMAKE_SOURCE_DIR}/cmake/embed_assets.cmake ${AIRLOCK_UI_DIR}/page.txt
  COMMENT "Embedding the debugger's page" VERBATIM)
# The library that compiles it stands in another folder (sim/faces/web).
add_custom_target(ui DEPENDS ${CMAKE_BINARY_DIR}/generated/embedded_assets.cpp)
