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

# The machine's Node if it will do, else that of the cache; npm runs on the same one, because it leaves out packages that do
# not fit the Node that it runs on.
function(airlock_find_node)
  set(node "")
  set(npm "")
  find_program(AIRLOCK_MACHINE_NODE node)
  find_program(AIRLOCK_MACHINE_NPM npm)
  if(AIRLOCK_MACHINE_NODE AND AIRLOCK_MACHINE_NPM)
    execute_process(COMMAND ${AIRLOCK_MACHINE_NODE} --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    string(REGEX REPLACE "^v" "" version "${version}")
    airlock_will_do("${version}" "${AIRLOCK_NODE_INSTEAD}" will_do)
    if(will_do)
      set(node ${AIRLOCK_MACHINE_NODE})
      file(REAL_PATH ${AIRLOCK_MACHINE_NPM} npm)
    endif()
  endif()
  if(NOT node AND EXISTS ${AIRLOCK_NODE_DIR}/bin/node AND EXISTS ${AIRLOCK_NPM_DIR}/bin/npm-cli.js)
    set(node ${AIRLOCK_NODE_DIR}/bin/node)
    set(npm ${AIRLOCK_NPM_DIR}/bin/npm-cli.js)
  endif()
  set(AIRLOCK_UI_NODE "${node}" PARENT_SCOPE)
  set(AIRLOCK_UI_NPM "${npm}" PARENT_SCOPE)
endfunction()

if(NOT AIRLOCK_UI MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "AIRLOCK_UI is AUTO, ON or OFF, not '${AIRLOCK_UI}'")
endif()
set(AIRLOCK_UI_NODE "")
set(AIRLOCK_UI_NPM "")
if(NOT AIRLOCK_UI STREQUAL OFF)
  airlock_find_node()
endif()

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
set(ui_variables -DMODE=${AIRLOCK_UI} -DNODE=${AIRLOCK_UI_NODE} -DNPM=${AIRLOCK_UI_NPM} -DFROM=${CMAKE_SOURCE_DIR}/ui -DTO=${AIRLOCK_UI_DIR})

# A file that changes with the way the packages are to be had, so that another Node or another mode is no old answer.
file(GENERATE OUTPUT ${AIRLOCK_UI_DIR}/way.txt CONTENT "${AIRLOCK_UI} ${AIRLOCK_UI_NODE} ${AIRLOCK_UI_NPM}\n")

add_custom_command(OUTPUT ${AIRLOCK_UI_DIR}/packages.txt
  COMMAND ${CMAKE_COMMAND} -DSTEP=packages ${ui_variables} -P ${ui_script}
  DEPENDS ${ui_script} ${AIRLOCK_UI_DIR}/way.txt ${CMAKE_SOURCE_DIR}/ui/package.json ${CMAKE_SOURCE_DIR}/ui/package-lock.json
  COMMENT "Fetching the packages of the debugger's page" VERBATIM)
add_custom_command(OUTPUT ${AIRLOCK_UI_DIR}/page.txt
  COMMAND ${CMAKE_COMMAND} -DSTEP=page ${ui_variables} -P ${ui_script}
  DEPENDS ${ui_script} ${AIRLOCK_UI_DIR}/packages.txt ${ui_files} ${ui_sources} ${CMAKE_SOURCE_DIR}/sim/faces/web/without_page.txt
  COMMENT "Building the debugger's page" VERBATIM)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/generated/embedded_assets.cpp
  COMMAND ${CMAKE_COMMAND} -DFROM=${AIRLOCK_UI_DIR}/dist -DTO=${CMAKE_BINARY_DIR}/generated/embedded_assets.cpp
    -P ${CMAKE_SOURCE_DIR}/cmake/embed_assets.cmake
  DEPENDS ${CMAKE_SOURCE_DIR}/cmake/embed_assets.cmake ${AIRLOCK_UI_DIR}/page.txt
  COMMENT "Embedding the debugger's page" VERBATIM)
# The library that compiles it stands in another folder (sim/faces/web).
add_custom_target(ui DEPENDS ${CMAKE_BINARY_DIR}/generated/embedded_assets.cpp)
