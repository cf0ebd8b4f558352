/**
 * Pictures of bytes (digits, filters) as tiles on a canvas.
 *
 *   tile(context, bytes, offset, side, box, table)       one picture: side x side bytes from offset on, into the box
 *                                                        {x, y, width, height}
 *   tiles(context, bytes, n, {side, columns, size, gap, x, y, table, mark})    n pictures in rows of `columns`
 *   layout(n, columns, size, gap)                        {width, height} of such a board
 *
 * table: 256 pixels of palette.js: shades("--ink"), shades("--blue") (originals), shades("--orange")
 * (reconstructions), diverging() (filters). mark(i) true: that tile is covered with grey (dead).
 */

import {board} from "./canvas.js";
import {color, shades} from "./palette.js";

export function tile(context, bytes, offset, side, {x, y, width, height}, table = shades()) {
  const one = board(side, side);
  for (let i = 0; i < side * side; i++) one.pixels[i] = table[bytes[offset + i]];
  one.context.putImageData(one.image, 0, 0);
  // pixels stay pixels when they are large; a smaller picture is averaged
  context.imageSmoothingEnabled = width * devicePixelRatio < side;
  context.drawImage(one.canvas, x, y, width, height);
}

export function tiles(context, bytes, n, options) {
  const {side = 28, columns = n, size = side, gap = 4, x = 0, y = 0, table = shades(), mark} = options;
  for (let i = 0; i < n; i++) {
    const box = {
      x: x + (i % columns) * (size + gap), y: y + Math.floor(i / columns) * (size + gap), width: size, height: size,
    };
    tile(context, bytes, i * side * side, side, box, table);
    if (!mark?.(i)) continue;
    context.globalAlpha = 0.82;
    context.fillStyle = color("--grey");
    context.fillRect(box.x, box.y, size, size);
    context.globalAlpha = 1;
  }
}

export function layout(n, columns, size, gap = 4) {
  const rows = Math.ceil(n / columns);
  return {width: columns * (size + gap) - gap, height: rows * (size + gap) - gap};
}
