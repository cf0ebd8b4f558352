/**
 * Bars, one for each value: those of a histogram, or of a code that is dragged.
 *
 *   drawBars(context, width, height, {values, low, high, color, negative, active})    only draws
 *   const b = bars(parent, {label: "Code", name: (i) => `code ${i + 1}`, change(i, value, values) {...}})
 *   b.set({values, low, high, color: "--blue", edited: false})     lists; low and high: one number, or a list of them
 *
 * A bar is dragged, or chosen with left and right and moved with up and down (page keys: ten times as far; Home and End:
 * the bounds). While it is dragged, set() does not overwrite it. It is a slider to a screen reader.
 */

import {surface} from "./canvas.js";
import {color} from "./palette.js";

const bound = (list, i) => (typeof list === "number" ? list : list[i]);

export function drawBars(context, width, height, {values, low = 0, high = 1, color: name = "--blue", negative, active = -1}) {
  const n = values.length;
  if (!n) return;
  const step = width / n;
  const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
  for (let i = 0; i < n; i++) {
    const bottom = bound(low, i);
    const top = bound(high, i);
    const place = (value) => height - Math.min(1, Math.max(0, (value - bottom) / (top - bottom || 1))) * height;
    const zero = place(Math.min(Math.max(0, bottom), top));
    const y = place(values[i]);
    if (i === active) {
      context.fillStyle = color("--hover");
      context.fillRect(i * step, 0, step, height);
    }
    context.fillStyle = color(values[i] < 0 && negative ? negative : name);
    context.fillRect(i * step + gap / 2, Math.min(y, zero - 1), step - gap, Math.max(1, Math.abs(zero - y)));
  }
}

const MOVES = {ArrowUp: 0.02, ArrowDown: -0.02, PageUp: 0.2, PageDown: -0.2};

export function bars(parent, {label, name = (i) => `${label} ${i + 1}`, change, className = "bars"}) {
  let data = {values: [], low: 0, high: 1};
  let active = 0;
  let dragging = false;
  let used = false;
  const self = surface(parent, {label, className, draw: (context, width, height) => {
    drawBars(context, width, height, {...data, active: used ? active : -1});
  }});
  const {canvas} = self;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "slider");
  canvas.setAttribute("aria-orientation", "vertical");
  const speak = () => {
    if (active >= data.values.length) active = 0;
    const value = data.values[active] ?? 0;
    canvas.setAttribute("aria-valuemin", bound(data.low, active) ?? 0);
    canvas.setAttribute("aria-valuemax", bound(data.high, active) ?? 1);
    canvas.setAttribute("aria-valuenow", value);
    canvas.setAttribute("aria-valuetext", `${name(active)} of ${data.values.length}: ${value.toFixed(3)}`);
  };
  const move = (i, value) => {
    active = i;
    data.values[i] = Math.min(bound(data.high, i), Math.max(bound(data.low, i), value));
    speak();
    self.dirty();
    change?.(i, data.values[i], data.values);
  };
  const drag = (event) => {
    const box = canvas.getBoundingClientRect();
    const n = data.values.length;
    if (!n) return;
    const i = dragging === true ? active : Math.min(n - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * n)));
    const t = 1 - (event.clientY - box.top) / box.height;
    dragging = true;
    move(i, bound(data.low, i) + t * (bound(data.high, i) - bound(data.low, i)));
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    used = true;
    drag(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (dragging) drag(event); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { dragging = false; });
  canvas.addEventListener("focus", () => { used = true; self.dirty(); });
  canvas.addEventListener("blur", () => { used = false; self.dirty(); });
  canvas.addEventListener("keydown", (event) => {
    const n = data.values.length;
    if (!n) return;
    const low = bound(data.low, active);
    const high = bound(data.high, active);
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      active = (active + (event.key === "ArrowRight" ? 1 : n - 1)) % n;
      speak();
      self.dirty();
    } else if (event.key in MOVES) move(active, data.values[active] + MOVES[event.key] * (high - low));
    else if (event.key === "Home" || event.key === "End") move(active, event.key === "Home" ? low : high);
    else return;
    event.preventDefault();
  });
  return {
    ...self, canvas, active: () => active,
    /** values and bounds as lists or Float32Arrays; a copy is kept */
    set(next) {
      if (dragging) return;
      data = {...data, ...next, values: [...next.values]};
      speak();
      self.dirty();
    },
  };
}
