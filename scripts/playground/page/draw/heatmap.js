/**
 * Heat maps: bytes on a grid, as pixels or drawn into a rectangle of a canvas.
 *
 *   colorize(pixels, bytes, {table, discrete: false})     a pixel for each byte
 *   mixture(pixels, bytes, {discrete, dim: 1})   three probabilities a point ([3 x h x w]): three colours mixed
 *   heatmap(context, bytes, w, h, {x, y, width, height}, {table, smooth: true, discrete: false, dim: 1})
 *
 * bytes: h rows of w, row 0 at the top; table: 256 pixels of palette.js (diverging() unless given).
 * discrete: only the sign (or the likeliest class). smooth: interpolated between the grid's points. dim: paler.
 */

import {board} from "./canvas.js";
import {className, diverging, pixel, rgb} from "./palette.js";

function place(context, one, {x = 0, y = 0, width, height}, {smooth = true, dim = 1}) {
  one.context.putImageData(one.image, 0, 0);
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.globalAlpha = dim;
  context.drawImage(one.canvas, x, y, width, height);
  context.globalAlpha = 1;
}

export function colorize(pixels, bytes, {table = diverging(), discrete = false} = {}) {
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[discrete ? (bytes[i] > 127 ? 255 : 0) : bytes[i]];
}

export function heatmap(context, bytes, w, h, box, options = {}) {
  const one = board(w, h);
  colorize(one.pixels, bytes, options);
  place(context, one, box, options);
}

export function mixture(pixels, bytes, {discrete = false, dim = 1} = {}) {
  const n = pixels.length;
  const zero = rgb("--map-zero");
  const colors = [0, 1, 2].map((i) => rgb(className(i)));
  const mixed = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const p = [bytes[i], bytes[n + i], bytes[2 * n + i]];
    const best = p[0] >= p[1] && p[0] >= p[2] ? 0 : p[1] >= p[2] ? 1 : 2;
    const sum = p[0] + p[1] + p[2] || 1;
    // a third each is paper, a sure class its colour
    const sure = dim * (discrete ? 0.85 : 0.85 * ((1.5 * p[best]) / sum - 0.5));
    for (let c = 0; c < 3; c++) {
      const mean = (p[0] * colors[0][c] + p[1] * colors[1][c] + p[2] * colors[2][c]) / sum;
      mixed[c] = zero[c] + sure * ((discrete ? colors[best][c] : mean) - zero[c]);
    }
    pixels[i] = pixel(...mixed);
  }
}
