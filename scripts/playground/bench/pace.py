#!/usr/bin/env python3
"""The pace of a training with its page open in Chromium, against the same fit in a script, in turns. First, the time
from `make playground` to a picture that moves.

    pace.py [--rounds N] [--seconds S] [word ...]      only cases whose name has one of the words

The page is opened with a set-up in its address, and trains as if Run had been clicked; its pace is that of the epochs
it receives. The script is the one that the page exports, run twice by the program `moonglass`: for few and for many
epochs, so that reading the data does not count. For autoencoders the page computes the test loss after each epoch, so
the script does so, too, as the validation of `fit`. The best of some rounds is printed for both: whatever else the
machine does only makes a round slower."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "spec", "playground"))

import browser  # noqa: E402
from support import ROOT, Server  # noqa: E402

CASES = {
    "points 2-8-8-1, batch 10": "#points&hidden=8,8",
    "points 2-4-2-1, batch 10": "#points",
    "points 2-8-8-8-8-8-8-1, batch 1": "#points&hidden=8,8,8,8,8,8&batch=1",
    "autoencoder deep, 20000 rows": "#autoencoder",
    "autoencoder deep, all rows": "#autoencoder&rows=60000",
    "autoencoder denoising, 1000 rows": "#autoencoder&kind=denoising&rows=1000",
    "autoencoder deep, 50 rows": "#autoencoder&rows=50",
    "autoencoder deep, code 2": "#autoencoder&code=2",
}

# Whole epochs and batches of the next one, and the milliseconds of the page's clock.
DONE = """const s = window.moonglass.last.state;
          return [s.epoch + (s.batch && s.batches ? s.batch / s.batches : 0), performance.now()]"""


def with_page(page, seconds):
    """Epochs a second while the page is open and visible."""
    if page.js("return document.body.dataset.running !== 'true'"):
        page.click("#run")
    page.until("window.moonglass.last.state.epoch > 0", "a first epoch")
    time.sleep(1)
    epochs, start = page.js(DONE)
    time.sleep(seconds)
    more, end = page.js(DONE)
    page.pause()
    return (more - epochs) / (end - start) * 1000


def run_script(text, epochs):
    """Seconds of the exported script, made to train so many epochs."""
    text = re.sub(r"epochs = \d+", f"epochs = {epochs}", text)
    if "moon.autoencoder" in text:
        text = text.replace("verbose = 0,", "verbose = 0, validation = {test_x, test_y},")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(text)
        file.flush()
        start = time.monotonic()
        subprocess.run([browser.MOONGLASS, file.name], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "MOONGLASS_DATA": browser.DATA})
        return time.monotonic() - start


def with_script(text, pace, seconds):
    """Epochs a second of the same fit without the page."""
    few = 1
    many = few + max(1, round(pace * seconds))
    return (many - few) / (run_script(text, many) - run_script(text, few))


def exported(page):
    """The script that the page's own session exports."""
    return page.js("return window.moonglass.wire.command('export', {what: 'script'}).then((file) => file.text)")


# Counts the different pictures of the test digits that have come.
COUNT = """const r = window.moonglass?.last?.digits?.reconstruction;
           if (!r) return 0;
           const sum = r.data.reduce((a, b, i) => (a + b * (i + 1)) % 1e9, 0);
           window.seen = (window.seen ?? new Set()).add(sum);
           return window.seen.size"""


def first_moving_picture(driver):
    """Seconds from `make playground` until the page, in a browser that is open already, has shown two pictures."""
    start = time.monotonic()
    command = ["make", "-s", "playground", f"PLAYGROUND=--port 0 --data {browser.DATA}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        driver.get(process.stdout.readline().strip())
        while driver.execute_script(COUNT) < 2:
            time.sleep(0.01)
        seconds = time.monotonic() - start
        driver.get("about:blank")
        process.terminate()
    return seconds


def measure_start(rounds):
    driver = browser.chromium()
    try:
        seconds = min(first_moving_picture(driver) for _ in range(rounds))
    finally:
        driver.quit()
    print(f"from make playground to a picture that moves: {seconds:.2f} s", flush=True)


def measure(name, place, options):
    best_page = best_script = 0
    with Server("--sessions", "2", data=browser.DATA) as server:
        driver = browser.chromium()
        try:
            page = browser.Page(driver, server).open(place)
            for _ in range(options.rounds):
                pace = with_page(page, options.seconds)
                best_page = max(best_page, pace)
                best_script = max(best_script, with_script(exported(page), pace, options.seconds))
        finally:
            driver.quit()
    print(f"{name:34} {best_page:12.1f} {best_script:12.1f} {best_page / best_script:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Compare the pace with the page open to that of a script.")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    if not options.words:
        measure_start(options.rounds)
    print(f"{'epochs a second':34} {'page open':>12} {'script':>12} {'ratio':>8}")
    for name, place in CASES.items():
        if not options.words or any(word in name for word in options.words):
            measure(name, place, options)


main()
