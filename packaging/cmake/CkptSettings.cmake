# SPDX-License-Identifier: GPL-2.0-or-later
# Compiler settings and the two functions by which every folder declares its target.

option(CKPT_WERROR "Treat warnings as errors" ON)
option(CKPT_TESTS "Build the unit tests" ON)
option(CKPT_FUZZ "Have a target fuzz; needs clang and CKPT_SANITIZE with fuzzer-no-link" OFF)
set(CKPT_SANITIZE "" CACHE STRING "Value for -fsanitize=, e.g. address,undefined")
set(CKPT_LIBEXEC_DIR "${CMAKE_INSTALL_FULL_LIBEXECDIR}/slurm-checkpoint" CACHE PATH "Where ckptd and its workers live")
set(CKPT_SLURM_PLUGIN_DIR "${CMAKE_INSTALL_FULL_LIBDIR}/slurm-wlm" CACHE PATH "Slurm's PluginDir")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(ckpt_settings INTERFACE)
target_compile_definitions(ckpt_settings INTERFACE _GNU_SOURCE CKPT_LIBEXEC_DIR="${CKPT_LIBEXEC_DIR}"
  CKPT_VERSION="${PROJECT_VERSION}")
target_compile_options(ckpt_settings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor
  $<$<BOOL:${CKPT_WERROR}>:-Werror> -fvisibility=hidden -fstack-protector-strong -fstack-clash-protection
  $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection>)
if(CKPT_SANITIZE)
  # Its runtime reserves terabytes of address space, and looks at its own threads as a debugger does.
  target_compile_definitions(ckpt_settings INTERFACE CKPT_SANITIZED)
  target_compile_options(ckpt_settings INTERFACE -fsanitize=${CKPT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(ckpt_settings INTERFACE -fsanitize=${CKPT_SANITIZE})
else()
  target_compile_options(ckpt_settings INTERFACE
    $<$<NOT:$<OR:$<CONFIG:Debug>,$<BOOL:$<TARGET_PROPERTY:CKPT_IS_TEST>>>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>)
  target_link_options(ckpt_settings INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# ckpt_library(NAME SOURCES... [USES targets...]): the static library of the current folder. Its headers are
# included as "FOLDER/header.hpp", and only by targets that name it in USES: each library exports a directory
# of its own that holds one link to the folder, so that an include against the arrows does not build.
function(ckpt_library name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(root ${PROJECT_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${folder} SYMBOLIC)
  if(ARG_UNPARSED_ARGUMENTS)
    add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
    target_include_directories(${name} PUBLIC ${root})
    target_link_libraries(${name} PUBLIC ckpt_settings ${ARG_USES})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${root})
    target_link_libraries(${name} INTERFACE ckpt_settings ${ARG_USES})
  endif()
endfunction()

# ckpt_program(NAME DIR [STATIC [FIXED]] SOURCES... [USES targets...]): an executable installed into DIR; STATIC: without libraries,
# unless a sanitizer needs its own. It is loaded at a random address, unless FIXED. CMake leaves that to the compiler's default (policy
# CMP0083), and its own -pie would undo -static-pie.
function(ckpt_program name dir)
  cmake_parse_arguments(ARG "STATIC;FIXED" "" "USES" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ckpt_settings ${ARG_USES})
  set(how -pie)
  if(ARG_STATIC AND NOT CKPT_SANITIZE)
    set(how $<IF:$<BOOL:${ARG_FIXED}>,-static,-static-pie>)
  endif()
  target_link_options(${name} PRIVATE ${how})
  install(TARGETS ${name} RUNTIME DESTINATION ${dir})
endfunction()

# ckpt_test(NAME [ROOT] SOURCES... USES targets...): one GoogleTest program; every TEST becomes a ctest case "unit.…".
# ROOT: it mounts file systems or the like and carries the label root instead of unit.
function(ckpt_test name)
  cmake_parse_arguments(ARG "ROOT" "" "USES" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ckpt_settings ${ARG_USES} GTest::gmock GTest::gtest_main)
  # What a test itself does takes milliseconds, and optimising it half of the time that all of the project takes to compile.
  set_target_properties(${name} PROPERTIES CKPT_IS_TEST ON)
  target_compile_options(${name} PRIVATE -O0)
  if(ARG_ROOT)
    gtest_discover_tests(${name} TEST_PREFIX "unit." PROPERTIES LABELS root)
  else()
    gtest_discover_tests(${name} TEST_PREFIX "unit." PROPERTIES LABELS unit)
  endif()
endfunction()
