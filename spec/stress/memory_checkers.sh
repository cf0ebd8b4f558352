#!/bin/sh
# The suite under tools that check memory accesses: all tests with the address and undefined-behaviour sanitizers, some
# under valgrind (make test-valgrind), the worker pool with the thread sanitizer. sh spec/stress/memory_checkers.sh
passed=0 failed=0
for target in 'test SAN=address,undefined' test-valgrind tsan; do
  began=$(date +%s)
  echo "== make $target"
  # shellcheck disable=SC2086
  if env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory $target; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
  echo "$(($(date +%s) - began)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
