/**
 * When to draw.
 *
 *   later(f)     f runs once before the next frame, however often this is called
 *   seldom(f)    f runs once before a frame, and not more than ten times a second: for numbers, which nobody reads
 *                faster, and for which a browser lays out and paints the page around them
 */

const APART = 100; // milliseconds

const waiting = new Set();
let asked = false;

function run() {
  asked = false;
  const now = [...waiting];
  waiting.clear();
  for (const draw of now) draw();
}

export function later(draw) {
  waiting.add(draw);
  if (asked) return;
  asked = true;
  requestAnimationFrame(run);
}

const slow = new Set();
let timer = 0;
let before = -APART;

function runSlow() {
  timer = 0;
  before = performance.now();
  for (const draw of slow) later(draw);
  slow.clear();
}

export function seldom(draw) {
  slow.add(draw);
  // what comes with the same frame waits for one another
  timer ||= setTimeout(runSlow, Math.max(10, before + APART - performance.now()));
}
