# testing.cmake - how each kind of test is declared; labels are what `ctest -L` selects.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
add_custom_target(unit_tests COMMENT "unit tests and what they run")
add_custom_target(fuzzers COMMENT "libFuzzer harnesses")

# Hanging is what it is for: a busy machine and a sanitizer together are not to be mistaken for it.
if(SANITIZE)
  set(UNIT_TIMEOUT 600)
else()
  set(UNIT_TIMEOUT 120)
endif()

# unit_test(NAME libs...): tests/unit/test_NAME.c, cmocka, in memory, a few seconds at most.
function(unit_test name)
  add_executable(test_${name} ${CMAKE_SOURCE_DIR}/tests/unit/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE host_flags ${ARGN} PkgConfig::CMOCKA)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT ${UNIT_TIMEOUT}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "CARREL_BUILD=${CMAKE_BINARY_DIR};CARREL_SOURCE=${CMAKE_SOURCE_DIR}")
  add_dependencies(unit_tests test_${name})
endfunction()

# fuzz_target(NAME libs...): tests/fuzz/fuzz_NAME.c, libFuzzer. Seeds, where there are any, are in
# tests/fuzz/corpus/NAME. Built by the fuzz preset only; tests/fuzz/run drives them.
function(fuzz_target name)
  if(FUZZ)
    add_executable(fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE host_flags ${ARGN})
    add_dependencies(fuzzers fuzz_${name})
  endif()
endfunction()

# script_test(NAME LABEL TIMEOUT command...): any program; 77 means "skipped, the reason is printed".
function(script_test name label timeout)
  add_test(NAME ${label}.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${label}.${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "CARREL_BUILD=${CMAKE_BINARY_DIR};CARREL_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()
