/**
 * A canvas at the screen's resolution that draws when it must.
 *
 *   const s = surface(parent, {label: "The net's output", className: "plane", draw(context, width, height) {...}});
 *   s.dirty();     draws before the next frame, once, however often it is called
 *   s.canvas, s.width, s.height (CSS pixels: the context is scaled), s.destroy()
 *
 * The size is the element's size in CSS (the class says it). It draws anew after a change of size or theme.
 * Without a label the canvas is hidden from screen readers (say there what it shows).
 *
 * picture(parent, options) is the same for what seldom changes. It is an image (p.element), because a browser without a
 * GPU copies every canvas that is on the screen whenever one of them changes.
 *
 *   const r = raster(parent, {className, draw(sized) {...}});   r.dirty(), r.canvas
 *
 * A canvas of few pixels, which CSS makes large: that costs less than to draw each pixel of the screen. draw fills the
 * pixels (those of palette.js) of sized(width, height).
 */

import {make} from "../controls.js";
import {onTheme} from "../theme.js";
import {later} from "./frames.js";

const NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";

/** The canvas gets as many pixels as the screen has there. */
function fit(self) {
  const {canvas, element} = self;
  const ratio = window.devicePixelRatio || 1;
  self.width = element.clientWidth;
  self.height = element.clientHeight;
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

export function raster(parent, {draw, className}) {
  const canvas = make("canvas", {className: `surface ${className}`, "aria-hidden": "true"});
  const context = canvas.getContext("2d", {alpha: false});
  let image = null;
  const sized = (width, height) => {
    if (image?.width !== width || image.height !== height) {
      Object.assign(canvas, {width, height});
      image = context.createImageData(width, height);
    }
    return new Uint32Array(image.data.buffer);
  };
  const now = () => {
    draw(sized);
    context.putImageData(image, 0, 0);
  };
  const dirty = () => later(now);
  parent.append(canvas);
  onTheme(dirty);
  dirty();
  return {canvas, dirty};
}

function describe(element, label) {
  if (!label) return element.setAttribute("aria-hidden", "true");
  element.setAttribute("role", "img");
  return element.setAttribute("aria-label", label);
}

function shownBy(element, parent, {draw, label, className = "", canvas, shown}) {
  element.className = `surface ${className}`;
  describe(element, label);
  if (parent) parent.append(element);
  const self = {canvas, element, context: canvas.getContext("2d"), width: 0, height: 0};
  const now = () => {
    paint(self, draw);
    shown?.(self);
  };
  self.dirty = () => later(now);
  const observer = new ResizeObserver(() => {
    fit(self);
    now();
  });
  observer.observe(element);
  const quiet = onTheme(self.dirty);
  self.destroy = () => {
    observer.disconnect();
    quiet();
    element.remove();
  };
  return self;
}

export function surface(parent, {canvas = make("canvas"), ...options}) {
  return shownBy(canvas, parent, {...options, canvas});
}

export function picture(parent, options) {
  const image = make("img", {alt: "", draggable: false, src: NOTHING});
  const shown = ({canvas}) => { if (canvas.width && canvas.height) image.src = canvas.toDataURL(); };
  return shownBy(image, parent, {...options, canvas: make("canvas"), shown});
}
