#!/bin/sh
# Refuse every allocation, one after the other. `make test` tries a sample of these points; this script tries all and
# prints their number. Run it in the root of the tree: sh spec/stress/memory_refusals.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0
env -u MAKEFLAGS -u MAKELEVEL make -s build/spec/refusal_test build/spec/lua_refusal_test || exit 1
for name in refusal_test lua_refusal_test; do
  began=$(date +%s)
  echo "== $name"
  "build/spec/$name" full >"$log" 2>&1
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
