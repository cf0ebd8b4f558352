/**
 * When to draw.
 *
 *   later(f)     f runs once before the next frame, however often this is called
 *   seldom(f)    f runs once with a frame, and not more than ten times a second: for numbers, which nobody reads
 *                faster, and for which a browser lays out and paints the page around them
 *   often(f)     the same up to twenty times a second: for what is small and many
 */

const WAIT = 40; // milliseconds; a frame that is drawn anyway usually comes sooner

const waiting = new Set();
const paces = [];
let asked = false;

function run() {
  asked = false;
  const start = performance.now();
  for (const pace of paces) pace.join(start);
  const now = [...waiting];
  waiting.clear();
  for (const draw of now) draw();
}

function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(run);
}

export function later(draw) {
  waiting.add(draw);
  ask();
}

/** What is drawn at most each so many milliseconds. It joins frames that others ask for. */
function paced(apart) {
  const slow = new Set();
  let timer = 0;
  let next = 0;
  paces.push({join(start) {
    if (start < next || !slow.size) return;
    next = start + apart;
    clearTimeout(timer);
    timer = 0;
    for (const draw of slow) waiting.add(draw);
    slow.clear();
  }});
  return (draw) => {
    slow.add(draw);
    timer ||= setTimeout(() => {
      timer = 0;
      ask();
    }, Math.max(0, next - performance.now()) + WAIT);
  };
}

export const seldom = paced(95);
export const often = paced(45);
