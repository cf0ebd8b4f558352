#!/bin/sh
# Fuzz the targets one after the other. The last line is "N passed, N failed". `make fuzz` calls it:
# sh spec/fuzz/run.sh build-folder seconds target...
# libFuzzer keeps useful inputs in build-folder/corpus and failing ones in build-folder/found. The next run starts from
# the corpus and from spec/fuzz/seeds.
set -u

B=$1 seconds=$2 here=$(pwd)
shift 2
passed=0 failed=0
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
mkdir -p "$B/found"

for target in "$@"; do
  corpus=$B/corpus/$target log=$B/$target.log
  mkdir -p "$corpus"
  dict=
  [ ! -e "spec/fuzz/dict/$target.dict" ] || dict="-dict=spec/fuzz/dict/$target.dict"
  "$B/fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=4096 \
    -print_final_stats=1 -artifact_prefix="$here/$B/found/$target-" $dict \
    "$here/$corpus" "$here/spec/fuzz/seeds/$target" >"$log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  echo "$target: ${runs:-?} inputs in $seconds s, ${covered:-?} edges, $(ls "$corpus" | wc -l) files in the corpus"
  if [ $status -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "  ended with status $status; see $log and $B/found"
    grep -E '^(==|SUMMARY|.*: expected: |.*runtime error|Test unit written)' "$log" | head -n 6 | sed 's/^/  /'
  fi
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
