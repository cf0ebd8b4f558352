#!/bin/sh
# The rules of layering, checked on the sources and on what was built: sh spec/lint.sh build
set -u

B=${1:-build}
broken=0

# rule <what> <offenders>: no offenders, no complaint.
rule() {
  [ -z "$2" ] && return
  echo "lint: $1:"
  echo "$2" | sed 's/^/  /'
  broken=1
}

# includers <pattern> <folder>: the files there that include a header of such a name.
includers() { grep -rlE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]([^>\"]*/)?($1)[>\"]" "$2" | sort; }

# ---- sources ----

rule "blis.h is for csrc/engine/gemm.c alone" "$(includers 'blis\.h|cblas\.h' csrc | grep -vx csrc/engine/gemm.c)"
rule "png.h is for csrc/engine/png.c alone" "$(includers 'png\.h' csrc | grep -vx csrc/engine/png.c)"
rule "the engine knows nothing of Lua" "$(includers 'lua\.h|lauxlib\.h|lualib\.h|luaconf\.h|moonglass_lua\.h|bind\.h' csrc/engine)"

# foreign <folder>: include lines that reach out of the folder for anything but the two public headers.
foreign() { grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*/' "$1" | grep -vE '"\.\./moonglass(_lua)?\.h"'; }

rule "the binding uses the two public headers only" \
  "$(foreign csrc/lua; includers 'png\.h|zlib\.h|jansson\.h|internal\.h|kernels\.h' csrc/lua)"
rule "the program uses the two public headers only" "$(foreign csrc/cli; includers 'bind\.h|internal\.h' csrc/cli)"

# ---- objects ----

set -- "$B"/obj/engine/*.o "$B"/obj/kernels-*/*.o "$B"/obj/lua/*.o
[ -e "$1" ] || { echo "lint: nothing is built in $B" >&2; exit 1; }

# What a library must not do to its host: end it, print, change its state. libpng's errors go through longjmp.
never='abort|exit|_exit|_Exit|quick_exit|atexit|__assert_fail|raise|kill|signal|sigaction|sigprocmask|pthread_sigmask'
never="$never|printf|vprintf|fprintf|vfprintf|__printf_chk|__fprintf_chk|puts|fputs|putchar|fputc|perror|stdout|stderr"
never="$never|setlocale|srand|rand|srandom|random|srand48|chdir|fchdir|putenv|setenv|unsetenv|umask|system|fork"
rule "a library must not call these" "$(nm -uA "$@" | awk '{print $1, $NF}' | sed 's/@.*//' | grep -E " ($never)\$")"

jumps=$(nm -uA "$@" | awk '{print $1, $NF}' | grep -E ' (_?longjmp|_?_?sigsetjmp|_?setjmp)' | grep -v '/engine/png\.o:')
rule "setjmp and longjmp are for png.c alone" "$jumps"

# Constants that hold addresses lie in .data.rel.ro, which is read-only once loaded.
rule "writable globals" "$(for o in "$@"; do
  size -A "$o" | awk -v o="$o" '$1 ~ /^\.(data|bss|tdata|tbss)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 {print o ": " $1, $2 " bytes"}'
done; nm -A "$@" 2>/dev/null | awk '$(NF-1) == "C" {print $1, $NF}')"

# ---- the module ----

so=$B/lib/moonglass/core.so
rule "core.so must not bring a Lua of its own" "$(readelf -d "$so" | grep -i 'NEEDED.*lua')"
rule "core.so exports more than its interface" \
  "$(nm -D --defined-only "$so" | awk '{print $NF}' | sed 's/@.*//' | grep -vE '^(luaopen_moonglass_core|moon_[a-z0-9_]+)$')"
rule "core.so changes the floating-point mode when it is loaded" "$(nm "$so" | grep -i set_fast_math)"

# ---- texts ----

rule "trailing blanks" \
  "$(grep -rnE '[[:blank:]]+$' csrc lua scripts spec Makefile --include='*.[ch]' --include='*.lua' --include='*.sh' --include=Makefile)"

[ $broken -eq 0 ] && echo "lint: the rules of layering hold"
exit $broken
