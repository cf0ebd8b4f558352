/**
 * A canvas at the screen's resolution that draws when it must.
 *
 *   const s = surface(parent, {label: "The net's output", className: "plane", draw(context, width, height) {...}});
 *   s.dirty();     draws before the next frame, once, however often it is called
 *   s.canvas, s.width, s.height (CSS pixels: the context is scaled), s.destroy()
 *
 * The size is the element's size in CSS (the class says it). It draws anew after a change of size or theme.
 * Without a label the canvas is hidden from screen readers (say there what it shows).
 * later(f) is the same for what is not a canvas: f runs once before the next frame.
 */

import {make} from "../controls.js";
import {onTheme} from "../theme.js";

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

/** The canvas gets as many pixels as the screen has there. */
function fit(self) {
  const {canvas} = self;
  const ratio = window.devicePixelRatio || 1;
  self.width = canvas.clientWidth;
  self.height = canvas.clientHeight;
  const width = Math.round(self.width * ratio);
  const height = Math.round(self.height * ratio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

function paint(self, draw) {
  const {canvas, context, width, height} = self;
  if (!width || !height) return;
  context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
  context.clearRect(0, 0, width, height);
  draw(context, width, height);
}

const boards = new Map();

/** A small canvas behind the scenes, one for each size. pixels are those of palette.js; putImageData shows them. */
export function board(width, height) {
  const key = `${width}x${height}`;
  if (!boards.has(key)) {
    const canvas = make("canvas", {width, height});
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    boards.set(key, {canvas, context, image, pixels: new Uint32Array(image.data.buffer)});
  }
  return boards.get(key);
}

export function surface(parent, {draw, label, className = "", canvas = make("canvas")}) {
  canvas.className = `surface ${className}`;
  if (label) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  } else {
    canvas.setAttribute("aria-hidden", "true");
  }
  if (parent) parent.append(canvas);
  const self = {canvas, context: canvas.getContext("2d"), width: 0, height: 0};
  const now = () => paint(self, draw);
  self.dirty = () => later(now);
  const observer = new ResizeObserver(() => {
    fit(self);
    now();
  });
  observer.observe(canvas);
  const quiet = onTheme(self.dirty);
  self.destroy = () => {
    observer.disconnect();
    quiet();
    canvas.remove();
  };
  return self;
}
