# airlock_test(NAME <name> LABELS <label>... SOURCES <file>... [LIBS <target>...] [GUESTS] [TIMEOUT <seconds>]
#              [ARGS <argument>...])
#
# One Catch2 v3 executable, test_<name>, and one ctest entry <name>. tests/support/catch.h is precompiled once and forced
# in front of every source; include it by name anyway. Tests run in the build folder: images are guests/images/...
#   LABELS   unit guest scenario replay docs tidy fuzz-smoke, and long for what `airlock test` leaves out
#   GUESTS   the test needs the guest images
#   ARGS     arguments of the executable, such as a tag filter
function(airlock_test)
  cmake_parse_arguments(A "GUESTS" "NAME;TIMEOUT" "LABELS;SOURCES;LIBS;ARGS" ${ARGN})
  if(NOT A_NAME OR NOT A_LABELS OR NOT A_SOURCES OR A_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "airlock_test needs NAME, LABELS and SOURCES; not understood: '${A_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 1200)  # against hanging, never a measure of speed
  endif()
  add_executable(test_${A_NAME} ${A_SOURCES})
  target_link_libraries(test_${A_NAME} PRIVATE ${A_LIBS} airlock_options Catch2::Catch2WithMain)
  target_include_directories(test_${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  set_target_properties(test_${A_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_precompile_headers(test_${A_NAME} REUSE_FROM airlock_test_header)
  if(A_GUESTS AND TARGET guests)
    add_dependencies(test_${A_NAME} guests)
  endif()
  add_test(NAME ${A_NAME} COMMAND test_${A_NAME} --rng-seed 1 ${A_ARGS}
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(${A_NAME} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT}
    ENVIRONMENT LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/leak_suppressions.txt:print_suppressions=0)
endfunction()

if(AIRLOCK_TESTS)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated/airlock_test_header.cpp CONTENT "")
  add_library(airlock_test_header OBJECT ${CMAKE_BINARY_DIR}/generated/airlock_test_header.cpp)
  target_link_libraries(airlock_test_header PRIVATE airlock_options Catch2::Catch2)
  target_precompile_headers(airlock_test_header PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/catch.h)
endif()
