/**
 * How the units of the net look: their heat maps and biases.
 *
 *   part(maps, index)                  {bytes, side} of one map of [n x side x side], from 1; null if there is none
 *   corners(boxes)                     a path of what has to go, so that they are plates with round corners
 *   drawUnits(context, units, discrete)    units: [{box, picture, dim}, ...]; picture: {bytes, side, table} or null
 *   drawBias(context, box, bias)       a square: its colour is the sign, its size the size
 *   classTable(i)                      256 colours from paper to the colour of class i
 */

import {board} from "../draw/canvas.js";
import {colorize} from "../draw/heatmap.js";
import {className, color, shadesFrom} from "../draw/palette.js";

const ROUND = 6;

export function part(maps, index) {
  const side = maps.shape[maps.shape.length - 1];
  const bytes = maps.data.subarray((index - 1) * side * side, index * side * side);
  return bytes.length ? {bytes, side} : null;
}

/** Clipping to a round plate is much slower than to take away what is outside of it. */
export function corners(boxes) {
  const path = new Path2D();
  for (const {x, y, width, height} of boxes) {
    for (const [across, down] of [[0, 0], [1, 0], [1, 1], [0, 1]]) {
      const [left, top] = [x + across * width, y + down * height];
      path.moveTo(left, top);
      path.lineTo(left, top + (down ? -ROUND : ROUND));
      path.arcTo(left, top, left + (across ? -ROUND : ROUND), top, ROUND);
      path.closePath();
    }
  }
  return path;
}

/** Maps of one size, in one strip: after each change of a board that was drawn, the browser copies it. */
function drawStrip(context, side, units, discrete) {
  const strip = board(side, side * units.length);
  units.forEach(({picture: {bytes, table}}, i) => {
    colorize(strip.pixels.subarray(i * side * side, (i + 1) * side * side), bytes, {table, discrete});
  });
  strip.context.putImageData(strip.image, 0, 0);
  context.imageSmoothingEnabled = true;
  units.forEach(({box: {x, y, width, height}, dim}, i) => {
    context.globalAlpha = dim;
    context.drawImage(strip.canvas, 0, i * side, side, side, x, y, width, height);
  });
  context.globalAlpha = 1;
}

export function drawUnits(context, units, discrete) {
  const strips = new Map();
  context.fillStyle = color("--map-zero");
  for (const unit of units) {
    const {box: {x, y, width, height}, picture, dim} = unit;
    if (!picture || dim < 1) context.fillRect(x, y, width, height);
    if (!picture) continue;
    if (!strips.has(picture.side)) strips.set(picture.side, []);
    strips.get(picture.side).push(unit);
  }
  for (const [side, some] of strips) drawStrip(context, side, some, discrete);
}

export function drawBias(context, {x, y, height}, bias) {
  const size = 6 + 6 * (Math.abs(bias) / (0.8 + Math.abs(bias)));
  const square = (edge, name) => {
    context.fillStyle = color(name);
    context.beginPath();
    context.roundRect(x - 3 - edge, y + height + 3 - size - edge, size + 2 * edge, size + 2 * edge, 3 + edge);
    context.fill();
  };
  square(1.5, "--panel");
  square(0, bias < 0 ? "--orange" : "--blue");
}

export const classTable = (i) => shadesFrom("--map-zero", className(i));
