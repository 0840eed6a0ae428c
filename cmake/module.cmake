# mongocached_module(NAME FOLDER SOURCES... LINKS...)
#
# A module's headers are included as "folder/file.hpp". Each target publishes an include tree that holds a link to its own
# folder only, so that a file sees just the folders of the targets it links: an arrow that architecture forbids does not build.
function(mongocached_module name folder)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(tree ${CMAKE_BINARY_DIR}/include_trees/${folder})
  get_filename_component(parent ${tree}/${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  if(NOT EXISTS ${tree}/${folder})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${tree}/${folder} SYMBOLIC)
  endif()
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/${folder}/)
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${tree})
  target_link_libraries(${name} PUBLIC mongocached_options ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
endfunction()

# mongocached_tests(MODULE FOLDER): tests/<FOLDER>/*_test.cpp as one executable, every case a ctest of its own. The tests' own
# files are optimised less than what they test: that halves the time of a build, most of which goes into them. g++ needs its
# sibling calls, without which coroutines that end at once pile up on the stack.
function(mongocached_tests name folder)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gmock_main)
  target_compile_options(${name} PRIVATE -g1
    "$<IF:$<CXX_COMPILER_ID:Clang>,-O0,-O1;-foptimize-sibling-calls>")
  gtest_discover_tests(${name} TEST_PREFIX "${folder}/" DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
endfunction()
