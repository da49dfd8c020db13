# guest_disk(<file> <folder> <image file>... <folder> <image file>...)
#
# The boot disk: one FAT16 volume of 32 MiB without a partition table. A word with a slash names a folder, the files
# after it go into it. Byte-reproducible (tools/make-disk). A file that no guest folder builds is left out.
function(guest_disk out)
  get_property(built GLOBAL PROPERTY GUEST_FILES)
  set(entries)
  set(dependencies)
  foreach(word ${ARGN})
    if(word MATCHES "/")
      set(folder ${word})
    elseif(word IN_LIST built)
      get_property(target GLOBAL PROPERTY GUEST_TARGET_OF_${word})
      list(APPEND entries ${folder}/${word}=${CMAKE_BINARY_DIR}/images/${word})
      list(APPEND dependencies ${target} ${CMAKE_BINARY_DIR}/images/${word})
    else()
      message(STATUS "${out}: ${word} is not built by any guest folder")
    endif()
  endforeach()
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/${out}
    DEPENDS ${ROOT}/tools/make-disk ${dependencies}
    COMMAND ${ROOT}/tools/make-disk ${CMAKE_BINARY_DIR}/${out} ${entries}
    COMMENT "Making ${out}" VERBATIM)
  add_custom_target(guest_disk ALL DEPENDS ${CMAKE_BINARY_DIR}/${out})
endfunction()
