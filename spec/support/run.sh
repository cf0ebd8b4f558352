#!/bin/sh
# Run the tests given as arguments (programs, Lua or shell scripts), then the Lua specs unless SPEC is empty. Name those
# that failed. The last line is "N passed, N failed[, N skipped]". `make test` and `make stress` call it, with LUA,
# SPEC, MOONGLASS_BIN and Lua's paths set.
set -u

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0 where=

# For a sanitized build: the tests need refused allocations to return NULL.
export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

# count <word>: the number before that word in the last summary line of the log.
count() { grep -E '^[0-9]+ passed,' "$log" | tail -n 1 | sed -n "s/^\(.* \)*\([0-9][0-9]*\) $1.*/\2/p"; }

# run <name> <command ...>: run a test; its output also goes to the log. A test without a summary, or with an exit
# status that does not agree with it, has failed.
run() {
  name=$1 before=$failed
  shift
  { "$@" 2>&1; echo $? >"$log.status"; } | tee "$log"
  status=$(cat "$log.status")
  rm -f "$log.status"
  add "$(count passed)" "$(count failed)" "$(count skipped)"
  [ "$failed" -eq "$before" ] || where="$where $(failed_specs "$name")"
}

# The names of spec files with failures, as reporter.lua lists them; for other tests the name.
failed_specs() {
  list=$(sed -n '/^failed tests:$/,$s/^  \([^:]*\):.*/\1/p' "$log" | sort -u | tr '\n' ' ')
  echo "${list:-$1}"
}

add() { # passed failed skipped
  [ -n "$1" ] && [ -n "$2" ] || { failed=$((failed + 1)); echo "  no sums: ended with status $status"; return; }
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
  [ "$status" -eq 0 ] || [ "$2" -gt 0 ] || { failed=$((failed + 1)); echo "  ended with status $status"; }
}

for t in "$@"; do
  echo "== ${t##*/}"
  case $t in
    *.lua) run "$t" "$LUA" "$t" ;;
    *.sh) run "$t" sh "$t" ;;
    *) run "$t" "$t" ;;
  esac
done

specs() {
  echo "== specs under $LUA"
  if rocks=$(luarocks --lua-version 5.4 path --lr-path 2>/dev/null); then LUA_PATH_5_4="$LUA_PATH_5_4$rocks"; fi
  export LUA_PATH_5_4 ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
  run specs "$LUA" spec/support/busted.lua $SPEC
}
[ -z "$SPEC" ] || specs

[ -z "$where" ] || echo "failed in:$where"
summary="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
