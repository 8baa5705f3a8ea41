# freestanding.cmake - carrel-vmm and carrel-init are static musl programs, whatever the host's C
# library is: small, without a dynamic loader, and the same bytes in every guest.
#
#   static_program(NAME sources...)  compiles the sources a second time, against musl.
#
# gcc takes musl through its specs file. With clang, or under a sanitizer, the same sources are
# linked statically (or, sanitized, dynamically) against the host's library: those builds exist to
# find mistakes, not to be shipped.
set(MUSL_SPECS /usr/lib/x86_64-linux-musl/musl-gcc.specs)

function(static_program name)
  add_executable(${name} ${ARGN})
  if(SANITIZE)
    target_link_libraries(${name} PRIVATE host_flags)
  elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND EXISTS ${MUSL_SPECS})
    target_link_libraries(${name} PRIVATE project_flags)
    target_compile_options(${name} PRIVATE -specs=${MUSL_SPECS} -Os -ffunction-sections -fdata-sections
                           "SHELL:-idirafter /usr/include" "SHELL:-idirafter /usr/include/x86_64-linux-gnu")
    target_link_options(${name} PRIVATE -specs=${MUSL_SPECS} -static -Wl,--gc-sections)
  else()
    target_link_libraries(${name} PRIVATE host_flags)
    target_link_options(${name} PRIVATE -static)
  endif()
endfunction()
