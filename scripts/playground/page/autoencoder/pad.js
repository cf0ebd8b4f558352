// A drawing pad of 28 x 28 grey pixels, as pure logic: no document, no canvas. Points are in pixels of the pad, (0, 0)
// is the upper left corner of the first pixel; values are 0 (paper, black on MNIST) to 255 (ink).

export const SIDE = 28;
const BOX = 20; // MNIST's digits fit a box of 20 x 20 within the 28
const UNDO = 100;

// Distances from the path in pixels: full ink up to the first, none from the second on. MNIST's strokes are like this.
const PEN = {full: 0.8, edge: 2.1};
const ERASER = {full: 1.8, edge: 2.6};

/** Distance of the point (x, y) from the segment a-b. */
function distance(x, y, a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length = dx * dx + dy * dy;
  const t = length > 0 ? Math.max(0, Math.min(1, ((x - a.x) * dx + (y - a.y) * dy) / length)) : 0;
  return Math.hypot(x - a.x - t * dx, y - a.y - t * dy);
}

/** How much of the brush's ink (0 to 1) lies at distance d of its path. */
function ink(d, brush) {
  const t = Math.max(0, Math.min(1, (brush.edge - d) / (brush.edge - brush.full)));
  return t * t * (3 - 2 * t);
}

/** The smallest box that holds every pixel with ink, or null for an empty pad. */
function bounds(pixels) {
  let box = null;
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] < 16) continue;
    const x = i % SIDE;
    const y = (i - x) / SIDE;
    if (!box) box = {left: x, right: x + 1, top: y, bottom: y + 1};
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x + 1);
    box.bottom = y + 1;
  }
  return box;
}

/** Value at the point (x, y) between pixels' centres, by bilinear weights; paper outside. */
function sample(pixels, x, y) {
  const left = Math.floor(x - 0.5);
  const top = Math.floor(y - 0.5);
  let sum = 0;
  for (let j = top; j <= top + 1; j++) {
    for (let i = left; i <= left + 1; i++) {
      if (i < 0 || j < 0 || i >= SIDE || j >= SIDE) continue;
      sum += pixels[j * SIDE + i] * (1 - Math.abs(x - 0.5 - i)) * (1 - Math.abs(y - 0.5 - j));
    }
  }
  return sum;
}

/** A picture whose point (14, 14) + p is the old one's (cx, cy) + p / scale; 3 x 3 samples a pixel against jags. */
function resample(pixels, cx, cy, scale) {
  const out = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < out.length; i++) {
    const x = i % SIDE;
    const y = (i - x) / SIDE;
    let sum = 0;
    for (let s = 0; s < 9; s++) {
      const px = x + ((s % 3) + 0.5) / 3 - SIDE / 2;
      const py = y + (Math.floor(s / 3) + 0.5) / 3 - SIDE / 2;
      sum += sample(pixels, cx + px / scale, cy + py / scale);
    }
    out[i] = Math.min(255, Math.round(sum / 9));
  }
  return out;
}

/** Where the ink's centre of mass lies. */
function centreOfMass(pixels) {
  let mass = 0;
  let x = 0;
  let y = 0;
  for (let i = 0; i < pixels.length; i++) {
    mass += pixels[i];
    x += pixels[i] * ((i % SIDE) + 0.5);
    y += pixels[i] * (Math.floor(i / SIDE) + 0.5);
  }
  return {x: x / mass, y: y / mass};
}

/** The picture as MNIST has its own: the longer side 20 pixels, the centre of mass in the middle. Empty stays empty. */
export function centred(pixels) {
  const box = bounds(pixels);
  if (!box) return pixels.slice();
  const scale = BOX / Math.max(box.right - box.left, box.bottom - box.top);
  const mass = centreOfMass(pixels);
  return resample(pixels, mass.x, mass.y, scale);
}

/** The pad: pixels, strokes, undo. */
export class Pad {
  constructor() {
    this.pixels = new Uint8Array(SIDE * SIDE);
    this.past = [];
  }

  get empty() {
    return this.pixels.every((v) => v === 0);
  }

  /** Remembers the picture as it is now; call it before each stroke. */
  keep() {
    this.past.push(this.pixels.slice());
    if (this.past.length > UNDO) this.past.shift();
  }

  /** Draws (or erases) from a to b, both {x, y}. A second pass makes nothing darker: the larger value wins. */
  line(a, b, erase = false) {
    const brush = erase ? ERASER : PEN;
    for (let i = 0; i < this.pixels.length; i++) {
      const x = i % SIDE;
      const v = Math.round(255 * ink(distance(x + 0.5, (i - x) / SIDE + 0.5, a, b), brush));
      this.pixels[i] = erase ? Math.min(this.pixels[i], 255 - v) : Math.max(this.pixels[i], v);
    }
  }

  /** Puts another picture in place of this one; undo brings the old one back. */
  put(pixels) {
    this.keep();
    this.pixels = Uint8Array.from(pixels);
  }

  clear() {
    if (!this.empty) this.put(new Uint8Array(SIDE * SIDE));
  }

  /** Back to the picture before the last stroke. Returns false when there is none. */
  undo() {
    if (this.past.length === 0) return false;
    this.pixels = this.past.pop();
    return true;
  }
}
