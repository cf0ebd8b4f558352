/**
 * The code as bars that can be dragged; each is a slider of its own, one of them in the tab order.
 *
 *   const b = codeBars(parent, {change(values) {...}});
 *   b.set({values, low, high});    b.dragging: a bar is held, its value is not overwritten
 *
 * All bars share one axis, so that they can be compared. It has round numbers and shrinks when it is much too wide.
 */

import {make} from "../controls.js";

const STEPS = {ArrowUp: 0.02, ArrowDown: -0.02, PageUp: 0.2, PageDown: -0.2};

/** A round number, at least the value. */
export function roundUp(value) {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8].find((lead) => lead * power >= value * 0.999999) ?? 10) * power;
}

/** The axis for what is seen: the old one while it fits and is not more than three times too wide. */
export function axisFor(old, low, high) {
  const wanted = {low: -roundUp(-Math.min(0, low)), high: roundUp(Math.max(0, high)) || 1};
  const fits = old && old.low <= low && old.high >= high;
  const width = (axis) => axis.high - axis.low;
  return fits && width(old) <= 3 * width(wanted) ? old : wanted;
}

const least = (list) => list.reduce((a, b) => Math.min(a, b), 0);
const most = (list) => list.reduce((a, b) => Math.max(a, b), 0);

export function codeBars(parent, {change}) {
  const element = make("div", {
    className: "code-bars", role: "group", "aria-label": "The code, a slider for each number",
  });
  const zero = make("div", {className: "code-zero", "aria-hidden": "true"});
  const top = make("span", {className: "code-tick code-top number", "aria-hidden": "true"});
  const bottom = make("span", {className: "code-tick code-bottom number", "aria-hidden": "true"});
  element.append(zero, top, bottom);
  parent.append(element);
  let bars = [];
  let values = [];
  let axis = null;
  let held = -1;
  let current = 0;

  function build(n) {
    bars.forEach(({knob}) => knob.remove());
    bars = Array.from({length: n}, (_, i) => {
      const fill = make("span", {className: "code-fill"});
      const knob = make("div", {
        className: "code-bar", role: "slider", tabIndex: i ? -1 : 0, "aria-orientation": "vertical",
        "aria-label": `code ${i + 1} of ${n}`,
      }, fill);
      element.append(knob);
      return {knob, fill};
    });
    element.classList.toggle("code-many", n > 40);
    current = 0;
  }

  function showBar(i) {
    const {knob, fill} = bars[i];
    const span = axis.high - axis.low;
    const from = Math.max(0, (Math.min(0, values[i]) - axis.low) / span);
    const to = Math.min(1, (Math.max(0, values[i]) - axis.low) / span);
    fill.style.transform = `translateY(${(1 - to) * 100}%) scaleY(${Math.max(0, to - from)})`;
    knob.dataset.value = String(values[i]);
    knob.classList.toggle("negative", values[i] < 0);
    knob.setAttribute("aria-valuenow", values[i].toPrecision(4));
  }

  function showAxis() {
    const text = (value) => String(Number(value.toPrecision(2))).replace("-", "−");
    top.textContent = text(axis.high);
    bottom.textContent = text(axis.low);
    zero.style.bottom = `${(-axis.low / (axis.high - axis.low)) * 100}%`;
    for (const {knob} of bars) {
      knob.setAttribute("aria-valuemin", axis.low);
      knob.setAttribute("aria-valuemax", axis.high);
    }
  }

  function put(i, value) {
    values[i] = Math.min(axis.high, Math.max(axis.low, value));
    showBar(i);
    change([...values]);
  }

  function focus(i) {
    bars[current].knob.tabIndex = -1;
    current = (i + bars.length) % bars.length;
    bars[current].knob.tabIndex = 0;
    bars[current].knob.focus({preventScroll: true});
  }

  function drag(event) {
    const box = element.getBoundingClientRect();
    put(held, axis.low + (1 - (event.clientY - box.top) / box.height) * (axis.high - axis.low));
  }
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !bars.length) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    const first = bars[0].knob.getBoundingClientRect().left;
    const last = bars[bars.length - 1].knob.getBoundingClientRect().right;
    held = Math.min(bars.length - 1, Math.max(0, Math.floor(((event.clientX - first) / (last - first)) * bars.length)));
    focus(held);
    bars[held].knob.classList.add("held");
    drag(event);
  });
  element.addEventListener("pointermove", (event) => { if (held >= 0) drag(event); });
  const letGo = () => {
    bars[held]?.knob.classList.remove("held");
    held = -1;
  };
  element.addEventListener("pointerup", letGo);
  element.addEventListener("pointercancel", letGo);
  element.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") focus(current + (event.key === "ArrowRight" ? 1 : -1));
    else if (step) put(current, values[current] + step * (axis.high - axis.low));
    else if (event.key === "Home" || event.key === "End") put(current, event.key === "Home" ? axis.low : axis.high);
    else if (event.key === "0") put(current, 0);
    else return;
    event.preventDefault();
  });

  return {
    element,
    get dragging() { return held >= 0; },
    get values() { return [...values]; },
    set(next) {
      if (next.values.length !== bars.length) build(next.values.length);
      const fixed = held >= 0 ? axis : null;
      const before = axis;
      values = [...next.values];
      axis = fixed ?? axisFor(axis, Math.min(least(next.low), least(values)), Math.max(most(next.high), most(values)));
      if (axis !== before || bars[0].knob.ariaValueMax === null) showAxis();
      bars.forEach((_, i) => showBar(i));
    },
  };
}
