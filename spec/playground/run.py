#!/usr/bin/env python3
"""Run the playground's tests: files *_http.py, which speak HTTP, and *_browser.py, which drive a browser.

    run.py [word ...]      only files whose name has one of the words, e.g. `http`, `streams`

The last line is "N passed, N failed[, N skipped]"."""

import glob
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def names(words):
    files = sorted(glob.glob(os.path.join(HERE, "*_http.py")) + glob.glob(os.path.join(HERE, "*_browser.py")))
    found = [os.path.basename(f)[:-3] for f in files]
    return [n for n in found if not words or any(w in n for w in words)]


def main(words):
    sys.path.insert(0, HERE)
    passed = failed = skipped = 0
    chosen = names(words)
    for name in chosen:
        print(f"== {name}", flush=True)
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
        result = unittest.TextTestRunner(verbosity=1, stream=sys.stdout).run(suite)
        wrong = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
        skipped += len(result.skipped)
        failed += wrong
        passed += max(0, result.testsRun - wrong - len(result.skipped))
    if not chosen:
        print(f"no test has a name with {' or '.join(words)}")
        failed = 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed > 0


sys.exit(main(sys.argv[1:]))
