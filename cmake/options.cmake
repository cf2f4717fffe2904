# Flags that every target of ours is built with; link firebreak_options PRIVATE.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(FIREBREAK_TESTS "build the tests" ON)
option(FIREBREAK_FUZZ "build the fuzz targets for libFuzzer; needs clang" OFF)
option(FIREBREAK_BENCH "build the benchmarks" OFF)
set(FIREBREAK_SANITIZE "" CACHE STRING "-fsanitize= list for every target, for example address,undefined")

# Files that share a translation unit share what they instantiate, which is most of what compiling costs here. "dev" and
# "tidy" stay apart, so that a missing #include is noticed. A file whose local names meet a neighbour's says so beside its target.
option(FIREBREAK_UNITY "compile several files as one: quicker from nothing, slower after an edit" OFF)
if(FIREBREAK_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 6)
endif()

option(FIREBREAK_BREAKABLE "compile in the deliberate breaks of common/broken.h, for scripts/breaks" OFF)
if(FIREBREAK_BREAKABLE)
  add_compile_definitions(FIREBREAK_BREAKABLE)
endif()

find_program(FIREBREAK_MOLD mold)
if(FIREBREAK_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(firebreak_options INTERFACE)
target_include_directories(firebreak_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(firebreak_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Woverloaded-virtual -Wnon-virtual-dtor -Wextra-semi -fstack-protector-strong)
target_compile_definitions(firebreak_options INTERFACE
  _GLIBCXX_ASSERTIONS BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)

if(FIREBREAK_UNITY)  # g++ takes every file but the first of a unit for a header
  target_compile_options(firebreak_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

if(FIREBREAK_SANITIZE)
  add_compile_options(-fsanitize=${FIREBREAK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FIREBREAK_SANITIZE})
  if(FIREBREAK_SANITIZE STREQUAL "thread")  # which does not know fences; Asio's locks say the same without them
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    add_compile_options(-Wno-tsan)
  endif()
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
