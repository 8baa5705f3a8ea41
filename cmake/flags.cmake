# flags.cmake - one interface target carries every flag; nothing else sets any.
add_library(project_flags INTERFACE)
target_include_directories(project_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(project_flags INTERFACE _GNU_SOURCE
  CARREL_VERSION="${PROJECT_VERSION}")
target_compile_options(project_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wformat=2 -Wvla
  -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
  -Wimplicit-fallthrough -Wnull-dereference
  -fno-common -fstack-protector-strong
  $<$<BOOL:${WERROR}>:-Werror>)

# Flags of the programs that run on the host's C library.
add_library(host_flags INTERFACE)
target_link_libraries(host_flags INTERFACE project_flags)
target_compile_options(host_flags INTERFACE
  $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
if(SANITIZE)
  target_compile_options(host_flags INTERFACE -fsanitize=${SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(host_flags INTERFACE -fsanitize=${SANITIZE})
endif()

# Places where tests let processes die (base/failpoint.h): in debug builds, never in what is shipped.
set(FAILPOINTS OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT FUZZ)
  set(FAILPOINTS ON)
endif()
