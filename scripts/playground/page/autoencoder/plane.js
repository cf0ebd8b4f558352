/**
 * The plane of a code of two numbers: what it decodes to, in a grid, and a mark that can be dragged.
 *
 *   const p = new Plane(parent, ([x, y]) => ...);    called whenever a person moved the mark
 *   p.set(values, map);    map: the event of that name;    p.dragging: neither changes
 */

import {make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {heatmap} from "../draw/heatmap.js";
import {color, shades} from "../draw/palette.js";
import {place} from "../draw/scatter.js";

const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};

/** The decoded digits of a map as the plane's ground. */
export function drawGrid(context, map, box, dim) {
  const [h, w] = map.grid.shape;
  heatmap(context, map.grid.data, w, h, box, {table: shades("--ink"), smooth: true, dim});
}

/** Where on the plane of a map an event of the pointer is. */
export function planePoint(canvas, range, event) {
  const {left, top, width, height} = canvas.getBoundingClientRect();
  return place({x: left, y: top, width, height}, range).inverse(event.clientX, event.clientY);
}

/** The point, brought back into the range. */
export const inside = ([x, y], [x0, x1, y0, y1]) => [Math.min(x1, Math.max(x0, x)), Math.min(y1, Math.max(y0, y))];

/** Where an arrow key leads from a point, a fortieth of the range away; null for other keys. */
export function keyPoint(key, [x, y], [x0, x1, y0, y1]) {
  const step = MOVES[key];
  return step ? [x + (step[0] * (x1 - x0)) / 40, y + (step[1] * (y1 - y0)) / 40] : null;
}

/** Makes a canvas a field that the keyboard reaches and a screen reader names. */
export function asField(canvas, kind, label) {
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", kind);
  canvas.setAttribute("aria-label", label);
}

/** A mark at (x, y): a cross in a ring, seen on any ground. */
export function drawMark(context, x, y) {
  for (const [name, width] of [["--panel", 5], ["--orange", 2.5]]) {
    context.strokeStyle = color(name);
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    context.moveTo(x - 4, y);
    context.lineTo(x + 4, y);
    context.moveTo(x, y - 4);
    context.lineTo(x, y + 4);
    context.stroke();
  }
}

export class Plane {
  constructor(parent, change) {
    this.change = change;
    this.values = [0, 0];
    this.map = null;
    this.dragging = false;
    this.element = make("div", {className: "code-plane", hidden: true});
    parent.append(this.element);
    this.surface = surface(this.element, {
      className: "code-plane-surface", label: "Plane of the code",
      draw: (context, width, height) => this.draw(context, {x: 0, y: 0, width, height}),
    });
    asField(this.surface.canvas, "plane", "Plane of the two numbers of the code; arrow keys move the mark");
    this.listen(this.surface.canvas);
  }

  draw(context, box) {
    if (!this.map) return;
    drawGrid(context, this.map, box, 0.75);
    const at = place(box, this.map.range);
    drawMark(context, at.x(this.values[0]), at.y(this.values[1]));
  }

  listen(canvas) {
    const drag = (event) => this.move(planePoint(canvas, this.map.range, event));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.map) return;
      canvas.setPointerCapture(event.pointerId);
      this.dragging = true;
      drag(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (this.dragging) drag(event); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.dragging = false; });
    canvas.addEventListener("keydown", (event) => {
      const next = this.map && keyPoint(event.key, this.values, this.map.range);
      if (!next) return;
      event.preventDefault();
      this.move(next);
    });
  }

  move(point) {
    this.values = inside(point, this.map.range);
    this.surface.dirty();
    this.change([...this.values]);
  }

  set(values, map) {
    if (this.dragging) return;
    this.values = [...values];
    this.map = map?.grid ? map : null;
    this.surface.dirty();
  }

  destroy() {
    this.surface.destroy();
  }
}
