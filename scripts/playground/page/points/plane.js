/**
 * The plane: what the net (or one unit) makes of each place, with the points on it.
 *
 *   const p = plane(parent, {moved(x, y | null), placed(x, y), key(key), dropped(text)});
 *   p.map({data, shape})    the output: [h x w], or [3 x h x w] of three classes
 *   p.unit(bytes | null, side)       shows a unit's map in its place
 *   p.points(data);  p.options({test, discrete});  p.placing(true)   the cursor says that a click places;
 *   p.message(words | null)
 *   p.at(x, y)                       what the map says there: a number, or three
 *
 * Keys: the arrows move a cross (Shift: further), Enter or Space places.
 */

import {make} from "../controls.js";
import {picture, raster} from "../draw/canvas.js";
import {colorize, mixture} from "../draw/heatmap.js";
import {classColor, color, diverging} from "../draw/palette.js";
import {axes, place, scatter} from "../draw/scatter.js";
import {classOf, RANGE} from "./names.js";
import {valueColor} from "./sets.js";
import {corners} from "./units.js";

const LEFT = 22;
const BOTTOM = 18;
const EDGE = 7;
const DIM = 0.8; // a little paler than the points, which have the same colours
const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};

const boxOf = (width, height) => ({x: LEFT, y: EDGE, width: width - LEFT - EDGE, height: height - BOTTOM - EDGE});

class Plane {
  constructor(parent, listeners) {
    Object.assign(this, {listeners, now: null, one: null, cross: null, show: {test: false, discrete: false}});
    this.element = make("div", {className: "plane", tabIndex: 0, role: "application", "aria-label":
      "The plane of x1 and x2. The arrow keys move a cross; with own points, Enter places one."});
    this.below = raster(this.element, {className: "plane-map", draw: (sized) => this.drawMap(sized)});
    Object.assign(this.below.canvas.style, {left: `${LEFT}px`, top: `${EDGE}px`,
      width: `calc(100% - ${LEFT + EDGE}px)`, height: `calc(100% - ${BOTTOM + EDGE}px)`});
    this.above = picture(this.element, {className: "plane-points", draw: (...args) => this.drawPoints(...args)});
    this.lines = ["across", "down"].map((way) => make("i", {className: `plane-cross ${way}`, hidden: true}));
    this.element.append(...this.lines);
    this.words = make("p", {className: "plane-message", hidden: true});
    this.element.append(this.words);
    this.listen();
    parent.append(this.element);
  }

  listen() {
    const on = (event, listener) => this.element.addEventListener(event, listener);
    on("pointermove", (event) => this.move(this.where(event)));
    on("pointerleave", () => this.move(null));
    on("click", (event) => {
      const where = this.where(event);
      if (where) this.listeners.placed(...where);
    });
    on("blur", () => this.move(null));
    on("keydown", (event) => { if (this.key(event)) event.preventDefault(); });
    on("dragover", (event) => event.preventDefault());
    on("drop", async (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      const text = file ? await file.text() : event.dataTransfer.getData("text/plain");
      if (text) this.listeners.dropped(text);
    });
    on("paste", (event) => this.listeners.dropped(event.clipboardData.getData("text/plain")));
  }

  where(event) {
    const outer = this.element.getBoundingClientRect();
    const at = place(boxOf(outer.width, outer.height), RANGE);
    const [x, y] = at.inverse(event.clientX - outer.left, event.clientY - outer.top);
    return Math.abs(x) <= 6 && Math.abs(y) <= 6 ? [x, y] : null;
  }

  move(cross) {
    this.cross = cross;
    this.showCross();
    this.listeners.moved(cross);
  }

  showCross() {
    const [across, down] = this.lines;
    for (const line of this.lines) line.hidden = !this.cross;
    if (!this.cross) return;
    const [x, y] = this.cross.map((value) => (value + 6) / 12);
    down.style.left = `calc(${LEFT}px + ${x} * (100% - ${LEFT + EDGE}px))`;
    across.style.top = `calc(${EDGE}px + ${1 - y} * (100% - ${BOTTOM + EDGE}px))`;
  }

  key({key, shiftKey, ctrlKey, metaKey}) {
    if (ctrlKey || metaKey) return false;
    if (key in MOVES) {
      const [x, y] = this.cross ?? [0, 0];
      const step = shiftKey ? 1 : 0.25;
      const limit = (value) => Math.max(-6, Math.min(6, value));
      this.move(this.cross ? [limit(x + MOVES[key][0] * step), limit(y + MOVES[key][1] * step)] : [0, 0]);
      return true;
    }
    if (key === "Enter" || key === " ") {
      if (this.cross) this.listeners.placed(...this.cross);
      else this.move([0, 0]);
      return true;
    }
    return this.listeners.key(key);
  }

  map(tensor) {
    this.now = tensor;
    this.below.dirty();
  }

  unit(bytes, side) {
    this.one = bytes && {bytes, side};
    this.below.dirty();
  }

  points(data) {
    this.data = data;
    this.above.dirty();
  }

  options(show) {
    this.show = show;
    this.below.dirty();
    this.above.dirty();
  }

  message(words) {
    this.words.hidden = !words;
    this.words.textContent = words ?? "";
  }

  placing(yes) { this.element.classList.toggle("placing", yes); }

  at(x, y) {
    if (!this.now) return null;
    const [h, w] = this.now.shape.slice(-2);
    const column = Math.min(w - 1, Math.floor(((x + 6) / 12) * w));
    const row = Math.min(h - 1, Math.floor(((6 - y) / 12) * h));
    const i = row * w + column;
    const {data} = this.now;
    if (this.now.shape.length === 3) return [0, 1, 2].map((k) => data[k * w * h + i] / 255);
    return data[i] / 127.5 - 1;
  }

  drawMap(sized) {
    const {discrete} = this.show;
    const {bytes, side} = this.one ?? {bytes: this.now?.data, side: this.now?.shape.at(-1)};
    if (!bytes) colorize(sized(1, 1), [127], {table: diverging(0)});
    else if (bytes.length === 3 * side * side) mixture(sized(side, side), bytes, {discrete, dim: DIM});
    else colorize(sized(side, side), bytes, {discrete, table: diverging(DIM)});
  }

  drawPoints(context, width, height) {
    const box = boxOf(width, height);
    axes(context, box, RANGE, {ticks: [-6, -4, -2, 0, 2, 4, 6]});
    context.fillStyle = color("--panel");
    context.fill(corners([box]));
    context.save();
    context.beginPath();
    context.rect(box.x, box.y, box.width, box.height);
    context.clip();
    if (this.data) {
      if (this.show.test) this.drawSet(context, box, this.data.test, this.data.test_labels, true);
      this.drawSet(context, box, this.data.train, this.data.train_labels, false);
    }
    context.restore();
  }

  drawSet(context, box, points, labels, outlined) {
    const {classes} = this.data;
    const label = (i) => labels.data[i];
    scatter(context, box, {
      points: points.data, range: RANGE, outlined, radius: box.width > 240 ? 3.2 : 2.6,
      colorOf: (i) => (classes ? classColor(classOf(label(i), classes)) : valueColor(label(i))),
      shapeOf: (i) => (classes === 3 ? classOf(label(i), 3) : 0),
    });
  }
}

export const plane = (parent, listeners) => new Plane(parent, listeners);
