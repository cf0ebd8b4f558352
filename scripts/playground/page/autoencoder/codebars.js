/**
 * The code as bars that can be dragged; each is a slider of its own, one of them in the tab order.
 *
 *   const b = new CodeBars(parent, (values) => ...);     called with all values whenever a person moved one
 *   b.set({values, low, high});    b.dragging: a bar is held, its axis stays
 *   b.forget();                    no bar counts as moved any more; those that were are marked until then
 *
 * All bars share one axis, so that they can be compared. It has round numbers and shrinks when it is much too wide.
 */

import {make} from "../controls.js";
import {roundUp} from "../draw/round.js";

const STEPS = {ArrowUp: 0.02, ArrowDown: -0.02, PageUp: 0.2, PageDown: -0.2};
const MANY = 40; // from so many bars on they have no round corners

/** The axis for what is seen: the old one while it fits and is not more than three times too wide. */
function axisFor(old, low, high) {
  const wanted = {low: -roundUp(-Math.min(0, low)), high: roundUp(Math.max(0, high)) || 1};
  const fits = old && old.low <= low && old.high >= high;
  const width = (axis) => axis.high - axis.low;
  return fits && width(old) <= 3 * width(wanted) ? old : wanted;
}

const least = (list) => list.reduce((a, b) => Math.min(a, b), 0);
const most = (list) => list.reduce((a, b) => Math.max(a, b), 0);
const short = (value) => String(Number(value.toPrecision(2))).replace("-", "−");

export class CodeBars {
  constructor(parent, change) {
    this.change = change;
    this.bars = [];
    this.values = [];
    this.axis = null;
    this.held = -1; // the bar that the hand has
    this.current = 0; // the bar in the tab order
    this.zero = make("div", {className: "code-zero", "aria-hidden": "true"});
    this.top = make("span", {className: "code-tick code-top number", "aria-hidden": "true"});
    this.bottom = make("span", {className: "code-tick code-bottom number", "aria-hidden": "true"});
    this.element = make("div", {
      className: "code-bars", role: "group", "aria-label": "The code, a slider for each number",
    }, this.zero, this.top, this.bottom);
    parent.append(this.element);
    this.listen();
  }

  get dragging() {
    return this.held >= 0;
  }

  listen() {
    const letGo = () => {
      this.bars[this.held]?.knob.classList.remove("held");
      this.held = -1;
    };
    this.element.addEventListener("pointerdown", (event) => this.take(event));
    this.element.addEventListener("pointermove", (event) => { if (this.dragging) this.drag(event); });
    this.element.addEventListener("pointerup", letGo);
    this.element.addEventListener("pointercancel", letGo);
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  /** The bar under the pointer is held until it is let go, wherever the pointer goes. */
  take(event) {
    if (event.button !== 0 || !this.bars.length) return;
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    const n = this.bars.length;
    const {left} = this.bars[0].knob.getBoundingClientRect();
    const {right} = this.bars[n - 1].knob.getBoundingClientRect();
    this.held = Math.min(n - 1, Math.max(0, Math.floor(((event.clientX - left) / (right - left)) * n)));
    this.focus(this.held);
    this.bars[this.held].knob.classList.add("held");
    this.drag(event);
  }

  drag(event) {
    const {low, high} = this.axis;
    const box = this.element.getBoundingClientRect();
    this.put(this.held, low + (1 - (event.clientY - box.top) / box.height) * (high - low));
  }

  key(event) {
    if (!this.bars.length) return;
    const {low, high} = this.axis;
    const i = this.current;
    if (event.key === "ArrowLeft") this.focus(i - 1);
    else if (event.key === "ArrowRight") this.focus(i + 1);
    else if (event.key in STEPS) this.put(i, this.values[i] + STEPS[event.key] * (high - low));
    else if (event.key === "Home") this.put(i, low);
    else if (event.key === "End") this.put(i, high);
    else if (event.key === "0") this.put(i, 0);
    else return;
    event.preventDefault();
  }

  focus(i) {
    this.bars[this.current].knob.tabIndex = -1;
    this.current = (i + this.bars.length) % this.bars.length;
    const {knob} = this.bars[this.current];
    knob.tabIndex = 0;
    knob.focus({preventScroll: true});
  }

  /** What a person did: bar i has this value. */
  put(i, value) {
    this.values[i] = Math.min(this.axis.high, Math.max(this.axis.low, value));
    this.bars[i].knob.classList.add("moved");
    this.showBar(i);
    this.change([...this.values]);
  }

  set({values, low, high}) {
    if (values.length !== this.bars.length) this.build(values.length);
    const before = this.axis;
    this.values = [...values];
    if (!this.dragging || !before) {
      this.axis = axisFor(before, Math.min(least(low), least(values)), Math.max(most(high), most(values)));
    }
    if (this.axis !== before || !this.labelled) this.showAxis();
    this.bars.forEach((_, i) => this.showBar(i));
  }

  forget() {
    for (const {knob} of this.bars) knob.classList.remove("moved");
  }

  build(n) {
    this.bars.forEach(({knob}) => knob.remove());
    this.bars = Array.from({length: n}, (_, i) => {
      const fill = make("span", {className: "code-fill"});
      const knob = make("div", {
        className: "code-bar", role: "slider", tabIndex: i ? -1 : 0, "aria-orientation": "vertical",
        "aria-label": `code ${i + 1} of ${n}`,
      }, fill);
      this.element.append(knob);
      return {knob, fill};
    });
    this.element.classList.toggle("code-many", n > MANY);
    this.current = 0;
    this.held = -1;
    this.axis = null;
    this.labelled = false;
  }

  showBar(i) {
    const {knob, fill} = this.bars[i];
    const value = this.values[i];
    const span = this.axis.high - this.axis.low;
    const from = Math.max(0, (Math.min(0, value) - this.axis.low) / span);
    const to = Math.min(1, (Math.max(0, value) - this.axis.low) / span);
    fill.style.transform = `translateY(${(1 - to) * 100}%) scaleY(${Math.max(0, to - from)})`;
    knob.dataset.value = String(value);
    knob.classList.toggle("negative", value < 0);
    knob.setAttribute("aria-valuenow", value.toPrecision(4));
  }

  showAxis() {
    const {low, high} = this.axis;
    this.labelled = true;
    this.top.textContent = short(high);
    this.bottom.textContent = short(low);
    this.zero.style.bottom = `${(-low / (high - low)) * 100}%`;
    for (const {knob} of this.bars) {
      knob.setAttribute("aria-valuemin", low);
      knob.setAttribute("aria-valuemax", high);
    }
  }
}
