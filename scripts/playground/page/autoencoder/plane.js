/**
 * The plane of a code of two numbers: what it decodes to, in a grid, and a mark that can be dragged.
 *
 *   const p = plane(parent, {change([x, y]) {...}});
 *   p.set(values, map);    map: the event of that name;    p.show(flag);    p.dragging
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

export function plane(parent, {change}) {
  let values = [0, 0];
  let map = null;
  let dragging = false;
  const element = make("div", {className: "code-plane", hidden: true});
  parent.append(element);
  const shown = surface(element, {
    className: "code-plane-surface", label: "Plane of the two numbers of the code",
    draw(context, width, height) {
      if (!map?.grid) return;
      const box = {x: 0, y: 0, width, height};
      drawGrid(context, map, box, 0.75);
      const at = place(box, map.range);
      drawMark(context, at.x(values[0]), at.y(values[1]));
    },
  });
  const {canvas} = shown;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "plane");
  canvas.setAttribute("aria-label", "Plane of the two numbers of the code; arrow keys move the mark");

  function move(x, y) {
    const [x0, x1, y0, y1] = map.range;
    values = [Math.min(x1, Math.max(x0, x)), Math.min(y1, Math.max(y0, y))];
    shown.dirty();
    change([...values]);
  }
  const drag = (event) => {
    const box = canvas.getBoundingClientRect();
    move(...place({x: box.left, y: box.top, width: box.width, height: box.height}, map.range)
      .inverse(event.clientX, event.clientY));
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !map?.range) return;
    canvas.setPointerCapture(event.pointerId);
    dragging = true;
    drag(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (dragging) drag(event); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { dragging = false; });
  canvas.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!step || !map?.range) return;
    event.preventDefault();
    const [x0, x1, y0, y1] = map.range;
    move(values[0] + (step[0] * (x1 - x0)) / 40, values[1] + (step[1] * (y1 - y0)) / 40);
  });

  return {
    get dragging() { return dragging; },
    show(flag) { element.hidden = !flag; },
    set(next, nextMap) {
      if (!dragging) {
        values = [...next];
        map = nextMap?.grid ? nextMap : null;
      }
      shown.dirty();
    },
    destroy: shown.destroy,
  };
}
