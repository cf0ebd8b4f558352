#!/bin/sh
# Run the tests given as arguments (programs, or scripts of Lua or the shell), then the Lua specs unless SPEC is empty,
# and end with one line: N passed, N failed[, N skipped]. `make test` and `make stress` call it, with LUA, SPEC,
# MOONGLASS_BIN and Lua's paths set.
set -u

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0

# For a sanitized build: a refused allocation is a case that the tests ask for.
export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

# count <word>: the number before that word in the last summary in the log, a C test's or busted's.
count() {
  grep -E '^[0-9]+ (passed,|success(es)? /)' "$log" | tail -n 1 | sed -n "s/^\(.* \)*\([0-9][0-9]*\) $1.*/\2/p"
}

# A test that ends without its summary, or with an exit status that the summary does not explain, has failed.
add() { # status passed failed skipped
  [ -n "$2" ] && [ -n "$3" ] || { failed=$((failed + 1)); echo "  no summary: ended with status $1"; return; }
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + ${4:-0}))
  [ "$1" -eq 0 ] || [ "$3" -gt 0 ] || { failed=$((failed + 1)); echo "  ended with status $1"; }
}

# run <command ...>: what it prints goes to the log too; its exit status into $status.
run() {
  { "$@" 2>&1; echo $? >"$log.status"; } | tee "$log"
  status=$(cat "$log.status")
  rm -f "$log.status"
}

for t in "$@"; do
  echo "== ${t##*/}"
  case $t in
    *.lua) run "$LUA" "$t" ;;
    *.sh) run sh "$t" ;;
    *) run "$t" ;;
  esac
  add "$status" "$(count passed)" "$(count failed)" "$(count skipped)"
done

specs() {
  echo "== specs under $LUA"
  if rocks=$(luarocks --lua-version 5.4 path --lr-path 2>/dev/null); then LUA_PATH_5_4="$LUA_PATH_5_4$rocks"; fi
  export LUA_PATH_5_4 ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
  run "$LUA" spec/support/busted.lua $SPEC
  errors=$(count error)
  failures=$(count failure)
  add "$status" "$(count success)" "${failures:+$((failures + ${errors:-0}))}" "$(count pending)"
}
[ -z "$SPEC" ] || specs

summary="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
