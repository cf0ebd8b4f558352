/**
 * Bars, one for each value: those of a histogram, or of a code that is dragged.
 *
 *   drawBars(context, width, height, {values, low, high, color, negative, active})    only draws
 *   const b = bars(parent, {label: "Code", name: (i) => `code ${i + 1}`, change(i, value, values) {...}})
 *   b.set({values, low, high, color: "--blue"})     lists; low and high: one number, or a list of them
 *   b.active()                                      which bar was chosen last
 *
 * A bar is dragged, or chosen with left and right and moved with up and down (page keys: ten times as far; Home and
 * End: the bounds). While it is dragged, set() does not overwrite it. It is a slider to a screen reader.
 */

import {surface} from "./canvas.js";
import {color} from "./palette.js";

const bound = (list, i) => (typeof list === "number" ? list : list[i]) ?? 0;

export function drawBars(context, width, height, options) {
  const {values, low = 0, high = 1, color: name = "--blue", negative, active = -1} = options;
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

class Bars {
  constructor(parent, {label, name = (i) => `${label} ${i + 1}`, change, className = "bars"}) {
    Object.assign(this, {name, change, data: {values: [], low: 0, high: 1}, chosen: 0, dragging: false, used: false});
    this.surface = surface(parent, {label, className, draw: (context, width, height) => {
      drawBars(context, width, height, {...this.data, active: this.used ? this.chosen : -1});
    }});
    this.canvas = this.surface.canvas;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-orientation", "vertical");
    this.listen();
    this.speak();
  }

  listen() {
    const on = (event, listener) => this.canvas.addEventListener(event, listener);
    on("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.drag(event);
    });
    on("pointermove", (event) => { if (this.dragging) this.drag(event); });
    on("pointerup", () => { this.dragging = false; });
    on("pointercancel", () => { this.dragging = false; });
    on("focus", () => this.use(true));
    on("blur", () => this.use(false));
    on("keydown", (event) => { if (this.data.values.length && this.key(event.key)) event.preventDefault(); });
  }

  use(used) {
    this.used = used;
    this.surface.dirty();
  }

  low(i = this.chosen) { return bound(this.data.low, i); }
  high(i = this.chosen) { return bound(this.data.high, i); }
  active() { return this.chosen; }

  speak() {
    const value = this.data.values[this.chosen] ?? 0;
    this.canvas.setAttribute("aria-valuemin", this.low());
    this.canvas.setAttribute("aria-valuemax", this.high());
    this.canvas.setAttribute("aria-valuenow", value);
    const words = `${this.name(this.chosen)} of ${this.data.values.length}: ${value.toFixed(3)}`;
    this.canvas.setAttribute("aria-valuetext", words);
  }

  choose(i) {
    this.chosen = i;
    this.used = true;
    this.speak();
    this.surface.dirty();
    return true;
  }

  move(value) {
    this.data.values[this.chosen] = Math.min(this.high(), Math.max(this.low(), value));
    this.choose(this.chosen);
    this.change?.(this.chosen, this.data.values[this.chosen], this.data.values);
    return true;
  }

  drag(event) {
    const n = this.data.values.length;
    if (!n) return;
    const box = this.canvas.getBoundingClientRect();
    if (!this.dragging) {
      this.chosen = Math.min(n - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * n)));
    }
    this.dragging = true;
    const t = 1 - (event.clientY - box.top) / box.height;
    this.move(this.low() + t * (this.high() - this.low()));
  }

  key(key) {
    const {values} = this.data;
    if (key === "ArrowRight") return this.choose((this.chosen + 1) % values.length);
    if (key === "ArrowLeft") return this.choose((this.chosen + values.length - 1) % values.length);
    if (key in MOVES) return this.move(values[this.chosen] + MOVES[key] * (this.high() - this.low()));
    if (key === "Home") return this.move(this.low());
    return key === "End" && this.move(this.high());
  }

  /** Values and bounds as lists or Float32Arrays; the values are copied. */
  set(next) {
    if (this.dragging) return;
    this.data = {...this.data, ...next, values: [...next.values]};
    if (this.chosen >= this.data.values.length) this.chosen = 0;
    this.speak();
    this.surface.dirty();
  }

  destroy() {
    this.surface.destroy();
  }
}

export const bars = (parent, options) => new Bars(parent, options);
