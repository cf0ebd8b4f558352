#!/usr/bin/env python3
"""Run the tests under MPI: programs *_mpi.lua, each on several ranks of this host, then files *_test.py (unittest),
which make hosts of their own, kill ranks, or cut links.

    run.py [word ...]      only files whose name has one of the words, e.g. `equal`, `hosts`

A program says in its first lines how it is run:

    -- ranks: 1 2 3 4           it is run once with each number of ranks
    -- mpi: openmpi mpich       under which MPI; openmpi alone if the line is missing
    -- seconds: 60              after which it is ended and has failed; 120 if the line is missing

Its last line is "N passed, N failed" (check.lua writes it). So is this program's: "N passed, N failed[, N skipped]"."""

import glob
import os
import re
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import launch  # noqa: E402


class Sums:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def line(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def chosen(words):
    """The files to run, programs first."""
    files = sorted(glob.glob(os.path.join(HERE, "*_mpi.lua"))) + sorted(glob.glob(os.path.join(HERE, "*_test.py")))
    return [f for f in files if not words or any(w in os.path.basename(f) for w in words)]


def header(path):
    """What a program's first lines ask for: numbers of ranks, libraries, seconds."""
    with open(path, encoding="utf-8") as file:
        text = "".join(next(file, "") for _ in range(10))
    found = dict(re.findall(r"^-- (ranks|mpi|seconds): (.*)$", text, re.M))
    if "ranks" not in found:
        raise ValueError("expected a line like '-- ranks: 1 2 4' among the first ten")
    return [int(n) for n in found["ranks"].split()], found.get("mpi", "openmpi").split(), int(found.get("seconds", 120))


def run_once(path, library, ranks, seconds, sums):
    print(f"== {os.path.basename(path)}, {library}, {ranks} rank{'s' if ranks > 1 else ''}", flush=True)
    if not launch.installed(library):
        print(f"  skipped: no {library} here, or the module was built without it; run make deps-mpi", flush=True)
        sums.skipped += 1
        return
    result = launch.run(library, ranks, [launch.PROGRAM, path], seconds=seconds)
    print(result.output, end="", flush=True)
    last = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", result.output, re.M)
    if not last or (result.status != 0 and last[-1][1] == "0"):
        print(f"  FAILED: {'no sums: ' if not last else ''}{result.ending()}", flush=True)
        sums.failed += 1
    if last:
        sums.passed += int(last[-1][0])
        sums.failed += int(last[-1][1])
        sums.skipped += int(last[-1][2] or 0)


def run_program(path, sums):
    try:
        counts, libraries, seconds = header(path)
    except ValueError as error:
        print(f"  FAILED: {os.path.basename(path)}: {error}")
        sums.failed += 1
        return
    for library in libraries:
        for ranks in counts:
            run_once(path, library, ranks, seconds, sums)


class Counting(unittest.TextTestResult):
    good = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.good += 1


def run_unittest(path, sums):
    name = os.path.basename(path)[:-3]
    print(f"== {name}", flush=True)
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout, resultclass=Counting).run(suite)
    wrong = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    sums.skipped += len(result.skipped)
    sums.failed += wrong
    sums.passed += result.good


def main(words):
    sums = Sums()
    files = chosen(words)
    for path in files:
        (run_program if path.endswith(".lua") else run_unittest)(path, sums)
    if not files:
        print(f"no test has a name with {' or '.join(words) or 'the right ending'}")
        sums.failed = 1
    print(sums.line())
    return sums.failed > 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that hosts are removed and runs ended
    sys.exit(main(sys.argv[1:]))
