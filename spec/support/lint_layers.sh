#!/bin/sh
# Check the rules of layering, in the sources and in the build: sh spec/support/lint_layers.sh build
set -u

B=${1:-build}
. spec/support/lint_rule.sh

# includers <pattern> <folder>: the files in the folder that include a header with a matching name.
includers() { grep -rlE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]([^>\"]*/)?($1)[>\"]" "$2" | sort; }

# ---- sources ----

rule "blis.h is for csrc/engine/core/blis_versions.h alone, and that for gemm.c" \
  "$(includers 'blis\.h|cblas\.h' csrc | grep -vx csrc/engine/core/blis_versions.h
     includers 'blis_versions\.h' csrc | grep -vx csrc/engine/core/gemm.c)"
rule "png.h is for csrc/engine/formats/png.c alone" "$(includers 'png\.h' csrc | grep -vx csrc/engine/formats/png.c)"
rule "the engine knows nothing of Lua" \
  "$(includers 'lua\.h|lauxlib\.h|lualib\.h|luaconf\.h|moonglass_lua\.h|bind\.h' csrc/engine)"

# foreign <folder>: include lines for files outside the folder, except for the two public headers.
foreign() {
  grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*/' "$1" | grep -vE '"\.\./moonglass(_lua)?\.h"'
}

rule "the binding uses the two public headers only" \
  "$(foreign csrc/lua; includers 'png\.h|zlib\.h' csrc/lua)"
rule "the program uses the two public headers only" "$(foreign csrc/cli; includers 'bind\.h' csrc/cli)"
rule "the module over MPI uses moonglass.h only" "$(foreign csrc/mpi; includers 'bind\.h|moonglass_lua\.h' csrc/mpi)"
rule "mpi.h is for csrc/mpi alone" "$(includers 'mpi\.h' csrc | grep -v '^csrc/mpi/')"
rule "the playground's server uses the two public headers only" \
  "$(foreign scripts/playground/host; includers '(engine|lua|cli)/.*|bind\.h' scripts/playground/host)"

# A metamethod is code of the user and may close an object in use by the binding. Only map calls such code, and the
# engine through readers.
rule "the binding calls no metamethods" \
  "$(grep -nE '\<lua_(gettable|settable|geti|seti|compare|arith|concat|len|callk|pcallk)\(' csrc/lua/*.c
     grep -nE '\<luaL_(tolstring|len|callmeta)\(' csrc/lua/*.c)"
rule "in the binding only map and readers call Lua code (bind_hold.c)" \
  "$(grep -nE '\<lua_p?call\(' csrc/lua/*.c |
     grep -vE 'bind_index\.c:[0-9]+:    lua_call\(L, 1, 1\); /\* ends the hold' |
     grep -vE 'bind_source\.c:[0-9]+:.*lua_p?call\(.*/\* (h->calling|ends)' |
     grep -vE 'bind\.c:[0-9]+:  int status = lua_pcall\(L, 0, 0, 0\);')"

# ---- objects ----

set -- "$B"/obj/engine/*/*.o "$B"/obj/kernels-*/*.o "$B"/obj/lua/*.o
[ -e "$1" ] || { echo "lint: $B has no build; run make first" >&2; exit 1; }

# A library must not end its host, print, or change the host's state. libpng reports errors by longjmp.
never='abort|exit|_exit|_Exit|quick_exit|atexit|__assert_fail|raise|kill|signal|sigaction|sigprocmask|pthread_sigmask'
never="$never|printf|vprintf|fprintf|vfprintf|dprintf|vdprintf|__v?[fd]?printf_chk|puts|fputs|putchar|fputc|perror"
never="$never|stdin|stdout|stderr|alarm|setitimer|pthread_kill|pthread_exit|execv?[lpe]*|posix_spawn|popen|vfork|daemon"
never="$never|on_exit|at_quick_exit|__cxa_atexit|(__register|pthread)_atfork|bsd_signal|__sysv_signal|sigset"
never="$never|sigaltstack|syslog|errx?|v?warnx?|error|error_at_line|psignal|clearenv|uselocale|tzset|nice|prctl"
never="$never|setrlimit|sched_setaffinity|pthread_setaffinity_np|fesetround|fesetenv|feenableexcept|mlockall|dup[23]?"
never="$never|setlocale|srand|rand|srandom|random|srand48|chdir|fchdir|putenv|setenv|unsetenv|umask|system|fork"
never="$never|setpriority"
calls=$(nm -uA "$@" | awk '{print $1, $NF}' | sed 's/@.*//')
rule "a library must not call these" "$(echo "$calls" | grep -E " ($never)\$")"
rule "setjmp and longjmp are for png.c alone" \
  "$(echo "$calls" | grep -E ' (_?longjmp|_?_?sigsetjmp|_?setjmp)' | grep -v '/engine/formats/png\.o:')"

# Constants that hold addresses lie in .data.rel.ro, which is read-only once loaded.
rule "writable globals" "$(for o in "$@"; do
  size -A "$o" | awk -v o="$o" \
    '$1 ~ /^\.(data|bss|tdata|tbss)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 {print o ": " $1, $2 " bytes"}'
done; nm -A "$@" 2>/dev/null | awk '$(NF-1) == "C" {print $1, $NF}')"

# ---- the module ----

so=$B/lib/moonglass/core.so
rule "core.so must not link a Lua library" "$(readelf -d "$so" | grep -i 'NEEDED.*lua')"
rule "core.so changes the floating-point mode when it is loaded" "$(nm "$so" | grep -i set_fast_math)"
rule "core.so must stay once it is loaded (-z nodelete)" "$(readelf -d "$so" | grep -q NODELETE || echo "$so")"

# ---- exports ----

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LC_ALL=C

# unlike <list>: differences between the names on stdin, sorted, and those in the file.
unlike() { sort -u | diff "$1" - | sed -n 's/^</missing:/p; s/^>/too many:/p'; }

exported() { nm -D --defined-only "$1" | awk '{print $NF}' | sed 's/@.*//'; }

grep -vE '^(luaopen_|moon_lua_)' csrc/exports.txt >"$scratch/engine"
rule "csrc/exports.txt is not what the headers have (make abi-record writes it anew)" \
  "$(cat csrc/moonglass.h csrc/moonglass_lua.h | sed -n 's/^MOON_API //p' | sed 's/(.*//; s/.*[ *]//' |
     unlike csrc/exports.txt)"
rule "core.so exports something else than csrc/exports.txt" "$(exported "$so" | unlike csrc/exports.txt)"
rule "libmoonglass.so exports something else than the engine's part of csrc/exports.txt" \
  "$(exported "$B/libmoonglass.so" | unlike "$scratch/engine")"

# A linked BLIS prints and aborts when it is out of memory, and its tests call rand.
blis='abort|rand|stdout|stderr|(__)?v?f?printf(_chk)?|putchar|puts|fputc'
for lib in "$so" "$B/libmoonglass.so"; do
  rule "${lib##*/} calls what a library must not, and BLIS does not" \
    "$(nm -D --undefined-only "$lib" | awk '{print $NF}' | sed 's/@.*//' | grep -xE "$never" | grep -vxE "$blis")"
done

[ $broken -eq 0 ] && echo "lint: the rules of layering hold"
exit $broken
