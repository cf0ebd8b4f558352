// The panel "map": where a code of two numbers puts the test digits, over what the plane decodes to.

import {button, make, number, swatch} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {labelColor} from "../draw/palette.js";
import {place, scatter} from "../draw/scatter.js";
import {panel} from "../panel.js";
import {latest} from "./latest.js";
import {SIDE} from "./pad.js";
import {picture} from "./parts.js";
import {asField, drawGrid, drawMark, inside, keyPoint, planePoint} from "./plane.js";
import {hasDigits, labelWord} from "./words.js";

const NOTE = "Each dot is a test picture, at its two numbers; behind it, what the net decodes there.";
const LABEL = "Map of the test pictures' codes; arrow keys look around, Enter takes a code";
const WATCH = ["map", "map_before"];
const NONE = 255; // the label of a picture without one

/** The decoded picture of the grid's cell in which (x, y) lies. */
function cellAt(map, [x, y]) {
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

/** A map: its grid, and the dots of one label or of all. */
function drawMap(context, box, {grid, points, labels, range}, only) {
  const kept = Array.from(labels.data.keys()).filter((i) => only === null || labels.data[i] === only);
  const list = Float32Array.from(kept.flatMap((i) => [points.data[2 * i], points.data[2 * i + 1]]));
  const colorOf = (i) => labelColor(labels.data[kept[i]] === NONE ? -1 : labels.data[kept[i]]);
  drawGrid(context, {grid}, box, 0.4);
  scatter(context, box, {points: list, range, colorOf, radius: only === null ? 2.6 : 3.4});
}

/** Ten buttons: one lets the dots of that label stand alone. Returns what writes their words. */
function legend(parent, wire, chosen) {
  let only = null;
  const buttons = Array.from({length: 10}, (_, label) => make("button", {
    type: "button", className: "map-label", "aria-pressed": "false",
    onclick() {
      only = only === label ? null : label;
      buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(i === only)));
      chosen(only);
    },
  }, swatch(`--label-${label}`), make("span")));
  const element = make("div", {className: "map-legend", role: "group", "aria-label": "Labels"}, ...buttons);
  parent.append(element);
  return () => {
    element.classList.toggle("named", !hasDigits(wire));
    buttons.forEach((one, label) => {
      const word = labelWord(wire, label);
      one.lastChild.textContent = word;
      one.title = `Shows the dots of ${word} alone`;
    });
  };
}

/** What is said when the code has another size, with a button that changes it. */
function hint(wire, failed) {
  // of both signs: two numbers that cannot be negative would leave the plane nearly empty
  const settings = {code: 2, code_activation: "linear"};
  return make("div", {className: "map-needs", hidden: true},
    make("p", {textContent: "A map needs a code of two numbers: then every picture is a point of a plane."}),
    button("Set the code to 2", "Starts a net anew whose code has two numbers, of either sign",
      () => wire.command("set", {settings}).then(() => wire.command("run")).catch(failed), {className: "primary"}));
}

class MapPanel {
  constructor(wire, parent, page) {
    const {failed} = page;
    this.wire = wire;
    this.data = null;
    this.only = null; // the label whose dots stand alone
    this.probe = null; // the place looked at
    this.pressed = false;
    this.section = panel(parent, {name: "map", title: "Map of codes", watch: WATCH, className: "ae-map", note: NOTE});
    this.hold = latest((values) => wire.command("code", {values}), failed);
    this.ground = make("div", {className: "map-ground", hidden: true});
    this.needs = hint(wire, failed);
    this.section.body.append(this.ground, this.needs);
    this.surface = surface(this.ground, {
      className: "map-plane", label: LABEL,
      draw: (context, width, height) => { if (this.data) this.draw(context, {x: 0, y: 0, width, height}); },
    });
    asField(this.surface.canvas, "map", LABEL);
    this.listen(this.surface.canvas);
    this.buildBefore();
    this.buildSide();
  }

  /** The last plane of another kind of net: a plain net's has holes, a variational one's has none. */
  buildBefore() {
    this.before = null;
    this.frame = make("figure", {className: "ae-figure map-before", hidden: true});
    this.ground.append(this.frame);
    this.other = surface(this.frame, {
      className: "map-plane", label: "Map of the net before",
      draw: (context, width, height) => {
        if (this.before) drawMap(context, {x: 0, y: 0, width, height}, this.before, this.only);
      },
    });
    this.caption = make("figcaption");
    this.frame.append(this.caption);
  }

  takeBefore(data) {
    this.before = data.grid ? data : null;
    this.frame.hidden = !this.before;
    if (this.before) this.caption.textContent = `before: the plane of the ${data.kind} net`;
    this.other.dirty();
  }

  buildSide() {
    const side = make("div", {className: "map-side"});
    this.ground.append(side);
    this.nameLabels = legend(side, this.wire, (label) => {
      this.only = label;
      this.surface.dirty();
      this.other.dirty();
    });
    this.there = picture(side, {label: "The picture decoded at the mark", className: "map-there", color: "--orange"});
    this.place = [1, 2].map(() => make("span", {className: "number", textContent: "–"}));
    side.append(make("p", {className: "map-place"}, "decoded at ", this.place[0], ", ", this.place[1]));
  }

  /** Hovering looks; pressing (or Enter) takes the place as the code. */
  listen(canvas) {
    const at = (event) => planePoint(canvas, this.data.range, event);
    canvas.addEventListener("pointermove", (event) => { if (this.data) this.look(at(event), this.pressed); });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.data) return;
      canvas.setPointerCapture(event.pointerId);
      this.pressed = true;
      this.look(at(event), true);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.pressed = false; });
    canvas.addEventListener("keydown", (event) => {
      const next = this.data && (event.key === "Enter" ? this.probe : keyPoint(event.key, this.probe, this.data.range));
      if (!next) return;
      event.preventDefault();
      this.look(next, event.key === "Enter");
    });
  }

  look(point, keep) {
    this.probe = inside(point, this.data.range);
    this.there.set(cellAt(this.data, this.probe));
    this.place.forEach((element, i) => number(element, this.probe[i], 2));
    this.surface.dirty();
    if (keep) this.hold([...this.probe]);
  }

  draw(context, box) {
    drawMap(context, box, this.data, this.only);
    const at = place(box, this.data.range);
    drawMark(context, at.x(this.probe[0]), at.y(this.probe[1]));
  }

  take(next) {
    this.data = next.needs ? null : next;
    this.ground.hidden = !this.data;
    this.needs.hidden = Boolean(this.data);
    if (!this.data) {
      this.probe = null;
      return;
    }
    this.nameLabels();
    const [x0, x1, y0, y1] = next.range;
    this.look(this.probe ?? [(x0 + x1) / 2, (y0 + y1) / 2], false);
  }

  destroy() {
    for (const one of [this.surface, this.other, this.there, this.section]) one.destroy();
  }
}

export function create(wire, parent, page) {
  const one = new MapPanel(wire, parent, page);
  return {
    element: one.section.element,
    events: {map: (data) => one.take(data), map_before: (data) => one.takeBefore(data)},
    destroy: () => one.destroy(),
  };
}
