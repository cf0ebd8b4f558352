#!/bin/sh
# Every allocation refused, one after the other: the C tests that try a part of the points in `make test` try all of them
# here, and print how many there are. In the root of the tree, after make: sh spec/stress/memory_refusals.sh
tests=$(dirname "${MOONGLASS_BIN:-build/moonglass}")/spec
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0
for name in refusal_test lua_refusal_test; do
  began=$(date +%s)
  echo "== $name"
  "$tests/$name" full >"$log" 2>&1
  status=$?
  cat "$log"
  set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
  [ -n "$2" ] || { echo "no summary: ended with status $status"; set -- 0 1; }
  [ "$status" -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1
  passed=$((passed + $1)) failed=$((failed + $2))
  echo "$(($(date +%s) - began)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
