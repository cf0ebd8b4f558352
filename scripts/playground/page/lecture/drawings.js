/**
 * Pictures of 28 x 28 bytes that no digit looks like.
 *
 *   house()             a house with a roof and a door
 *   withDot(digit)      a digit with a white square of 3 x 3 pixels in the corner, where MNIST's digits have none
 *   dotOf(picture)      how bright that square is, from 0 to 1
 */

const SIDE = 28;
const DOT = [3, 4, 5];
const THICK = 1.7;

// Walls, roof and door: lines from (x, y) to (x, y).
const HOUSE = [
  [6, 13, 14, 5], [14, 5, 22, 13], [8, 13, 8, 23], [8, 23, 20, 23], [20, 23, 20, 13], [8, 13, 20, 13],
  [12, 23, 12, 18], [12, 18, 16, 18], [16, 18, 16, 23],
];

/** The distance of (x, y) from a line. */
function distance(x, y, [x0, y0, x1, y1]) {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const along = Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
}

export function house() {
  return Uint8Array.from({length: SIDE * SIDE}, (_, i) => {
    const nearest = Math.min(...HOUSE.map((line) => distance(i % SIDE, Math.floor(i / SIDE), line)));
    return Math.round(255 * Math.max(0, Math.min(1, THICK - nearest)));
  });
}

const dotPixels = DOT.flatMap((y) => DOT.map((x) => y * SIDE + x));

export function withDot(digit) {
  const picture = Uint8Array.from(digit);
  for (const i of dotPixels) picture[i] = 255;
  return picture;
}

export const dotOf = (picture) => dotPixels.reduce((sum, i) => sum + picture[i], 0) / (255 * dotPixels.length);
