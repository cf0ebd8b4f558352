// The panel "map": where a code of two numbers puts the test digits, over what the plane decodes to.

import {button, make, number} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {labelColor} from "../draw/palette.js";
import {place, scatter} from "../draw/scatter.js";
import {panel} from "../panel.js";
import {latest} from "./latest.js";
import {SIDE} from "./pad.js";
import {failure, picture} from "./parts.js";
import {drawGrid, drawMark} from "./plane.js";

const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
const NOTE = "Each dot is a test digit, at its two numbers; behind it, what the net decodes there.";
const NONE = 255; // the label of a picture without one

/** The decoded picture of the grid's cell in which (x, y) lies. */
export function cellAt(map, x, y) {
  const [h, w] = map.grid.shape;
  const [x0, x1, y0, y1] = map.range;
  const clamp = (value, n) => Math.min(n - 1, Math.max(0, Math.floor(value)));
  const column = clamp(((x - x0) / (x1 - x0)) * (w / SIDE), w / SIDE);
  const row = clamp(((y1 - y) / (y1 - y0)) * (h / SIDE), h / SIDE);
  const out = new Uint8Array(SIDE * SIDE);
  for (let line = 0; line < SIDE; line++) {
    const from = (row * SIDE + line) * w + column * SIDE;
    out.set(map.grid.data.subarray(from, from + SIDE), line * SIDE);
  }
  return out;
}

/** Ten buttons: one lets the dots of that digit stand out. */
function legend(parent, chosen) {
  let only = null;
  const buttons = Array.from({length: 10}, (_, label) => {
    const swatch = make("span", {className: "swatch", "aria-hidden": "true"});
    swatch.style.background = `var(--label-${label})`;
    return make("button", {
      type: "button", className: "map-label", "aria-pressed": "false", title: `Shows the dots of ${label} alone`,
      onclick() {
        only = only === label ? null : label;
        buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(i === only)));
        chosen(only);
      },
    }, swatch, String(label));
  });
  parent.append(make("div", {className: "map-legend", role: "group", "aria-label": "Digits"}, ...buttons));
}

export function create(wire, parent, page) {
  const failed = failure(page);
  const section = panel(parent, {name: "map", title: "Map of codes", watch: ["map"], className: "ae-map", note: NOTE});
  const ground = make("div", {className: "map-ground", hidden: true});
  const needs = make("div", {className: "map-needs", hidden: true},
    make("p", {textContent: "A map needs a code of two numbers: then every picture is a point of a plane."}),
    button("Set the code to 2", "Starts a net anew whose code has two numbers", () => {
      wire.command("set", {settings: {code: 2}}).then(() => wire.command("run")).catch(failed);
    }, {className: "primary"}));
  section.body.append(ground, needs);
  let data = null;
  let only = null;
  let probe = null; // the place looked at: [x, y] of the plane
  let pressed = false;
  const hold = latest((values) => wire.command("code", {values}), failed);

  const shown = surface(ground, {
    className: "map-plane", label: "Map of the test digits' codes",
    draw(context, width, height) {
      if (!data) return;
      const box = {x: 0, y: 0, width, height};
      drawGrid(context, data, box, 0.4);
      const labels = data.labels.data;
      const dots = (test) => {
        const kept = Array.from(labels.keys()).filter((i) => test(labels[i]));
        const points = Float32Array.from(kept.flatMap((i) => [data.points.data[2 * i], data.points.data[2 * i + 1]]));
        return {points, range: data.range, colorOf: (i) => labelColor(labels[kept[i]] === NONE ? -1 : labels[kept[i]])};
      };
      scatter(context, box, {...dots((label) => only === null || label === only), radius: only === null ? 2.6 : 3.4});
      if (probe) drawMark(context, ...((at) => [at.x(probe[0]), at.y(probe[1])])(place(box, data.range)));
    },
  });
  const side = make("div", {className: "map-side"});
  ground.append(side);
  legend(side, (label) => {
    only = label;
    shown.dirty();
  });
  const there = picture(side, {label: "The digit decoded at the mark", className: "map-there", color: "--orange"});
  const [x, y] = [1, 2].map(() => make("span", {className: "number", textContent: "–"}));
  side.append(make("p", {className: "map-place"}, "decoded at ", x, ", ", y));

  function look([px, py], keep) {
    const [x0, x1, y0, y1] = data.range;
    probe = [Math.min(x1, Math.max(x0, px)), Math.min(y1, Math.max(y0, py))];
    showProbe();
    if (keep) hold([...probe]);
  }
  function showProbe() {
    there.set(probe && cellAt(data, ...probe));
    number(x, probe?.[0] ?? null, 2);
    number(y, probe?.[1] ?? null, 2);
    shown.dirty();
  }
  bind(shown.canvas, () => data, () => probe, look, (flag) => { pressed = flag; }, () => pressed);

  return {
    element: section.element,
    events: {
      map(next) {
        data = next.needs ? null : next;
        ground.hidden = !data;
        needs.hidden = Boolean(data);
        if (!data) probe = null;
        else look(probe ?? [(data.range[0] + data.range[1]) / 2, (data.range[2] + data.range[3]) / 2], false);
      },
    },
    destroy() {
      shown.destroy();
      there.destroy();
      section.destroy();
    },
  };
}

/** Mouse, finger and keys on the map: hovering looks, pressing (or Enter) takes the place as the code. */
function bind(canvas, data, probe, look, press, pressed) {
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "map");
  canvas.setAttribute("aria-label", "Map of the test digits' codes; arrow keys look around, Enter takes a code");
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return place({x: box.left, y: box.top, width: box.width, height: box.height}, data().range)
      .inverse(event.clientX, event.clientY);
  };
  canvas.addEventListener("pointermove", (event) => { if (data()) look(at(event), pressed()); });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !data()) return;
    canvas.setPointerCapture(event.pointerId);
    press(true);
    look(at(event), true);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => press(false));
  canvas.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (!data() || (!step && event.key !== "Enter")) return;
    event.preventDefault();
    const [x0, x1, y0, y1] = data().range;
    const [px, py] = probe() ?? [(x0 + x1) / 2, (y0 + y1) / 2];
    const [dx, dy] = step ?? [0, 0];
    look([px + (dx * (x1 - x0)) / 24, py + (dy * (y1 - y0)) / 24], event.key === "Enter");
  });
}
