#!/bin/sh
# Run every fuzz target for a minute, or the given time: sh spec/stress/files_fuzz.sh [seconds each]. The last line is
# "N passed, N failed". Without clang there is one failure.
set -u

if ! ls /usr/bin/clang-[0-9][0-9] >/dev/null 2>&1; then
  echo "files_fuzz: clang is missing; run make deps-fuzz first"
  echo "0 passed, 1 failed"
  exit 1
fi
exec make --no-print-directory -s fuzz T="${1:-60}"
