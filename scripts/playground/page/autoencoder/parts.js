/**
 * What several panels of this tab are made of.
 *
 *   picture(parent, {label, className, color})   a 28 x 28 one: {set(bytes), canvas, destroy()}; set(null) empties it
 *   strip(parent, {caption, label, color, columns})   a line of pictures, ten or `columns` at most: {set(bytes)}
 *   SIZE                                         the pixels of a picture
 *   hasUnseen(wire)                              whether there are pictures that the net does not train on
 */

import {make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {tile} from "../draw/images.js";
import {color as paint, shades} from "../draw/palette.js";
import {SIDE} from "./pad.js";

export const SIZE = SIDE * SIDE;

export function picture(parent, {label, className = "", color = "--ink"}) {
  let bytes = null;
  const shown = surface(parent, {
    label, className: `picture ${className}`,
    draw(context, width, height) {
      if (bytes) tile(context, bytes, 0, SIDE, {x: 0, y: 0, width, height}, shades(color));
    },
  });
  return {
    canvas: shown.canvas, destroy: shown.destroy,
    set(next) {
      bytes = next;
      shown.dirty();
    },
  };
}

export function strip(parent, {caption, label, color = "--ink", columns = 10}) {
  let bytes = null;
  const words = make("span", {className: "strip-caption", textContent: caption});
  const element = make("div", {className: "strip"}, words);
  const shown = surface(element, {
    label, className: "strip-pictures",
    draw(context, width, height) {
      const n = bytes ? Math.min(columns, bytes.length / SIZE) : columns;
      const step = width / columns;
      const size = Math.min(step - 4, height);
      if (!bytes) context.fillStyle = paint("--picture-zero");
      for (let i = 0; i < n; i++) {
        const box = {x: i * step + 2, y: 0, width: size, height: size};
        if (bytes) tile(context, bytes, i * SIZE, SIDE, box, shades(color));
        else context.fillRect(box.x, box.y, size, size);
      }
    },
  });
  shown.canvas.style.aspectRatio = `${columns} / 0.92`;
  parent.append(element);
  return {
    element, canvas: shown.canvas, destroy: shown.destroy,
    set(next) {
      bytes = next;
      shown.dirty();
    },
  };
}

/** False if the net trains on all pictures there are: on own ones, when they are too few to hold some out. */
export function hasUnseen(wire) {
  const test = wire.last.epoch?.test_loss;
  return wire.last.state?.settings.data !== "own" || (test !== null && test !== undefined);
}
