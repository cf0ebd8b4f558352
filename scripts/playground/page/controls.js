/**
 * Elements and controls.
 *
 *   make("button", {className: "button", textContent: "Run", onclick: f}, child, ...)     an element
 *   write(element, words)                 its text; the same words cost nothing
 *   writeSeldom(element, () => words)     the same for what changes in each frame: at most ten times a second
 *   number(element, value, digits)        shows a number: text rounded, by writeSeldom, data-value in full and at once
 *   figure(parent, words, {digits, color, data})    such a number with words over it: {set(value), element}
 *   swatch("--blue")                      a small square of a colour
 *   control(setting, change, {as, style}) one labelled input from a line of the schema
 *   controls(parent, schema, change, {only: ["rate", ...]})   all (or some) of them: {set(settings), get(name), all}
 *
 * A setting is a line of the event `schema`: {name, label, help, kind, choices, low, high, step, default}. The kinds:
 *   choice   a <select>, or with {as: "buttons"} a row of radio buttons
 *   number   a number field, or with {as: "slider"} a slider with its number beside it
 *   flag     a checkbox
 *   list     with choices: a checkbox each; without: a field of numbers with commas
 * change(name, value) is called when a person chose; it may return a promise. If that is refused, the control goes back
 * to what it was and shows the words. The help is a sentence that shows on focus and hover (aria-describedby).
 */

import {seldom} from "./draw/frames.js";

let serial = 0;

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const formats = new Map();

/** Making a format is slow, and dozens of numbers are shown in each frame. */
function fixed(value, digits) {
  if (!formats.has(digits)) {
    const options = {minimumFractionDigits: digits, maximumFractionDigits: digits};
    formats.set(digits, new Intl.NumberFormat("en", options));
  }
  return formats.get(digits).format(value);
}

/**
 * 0.012345 as "0.012", 12345 as "12,345"; nothing or not finite as "–". With three digits or more a small number keeps
 * two that say something: 0.00028 as "0.00028".
 */
export function rounded(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return value.toExponential(2).replace("-", "−");
  const text = digits > 2 && size > 0 && size < 10 ** (1 - digits) ? String(Number(value.toPrecision(2)))
    : fixed(value, digits);
  return text.replace("-", "−");
}

const texts = new Map(); // of elements, as they are to be

function showTexts() {
  for (const [element, words] of texts) write(element, words());
  texts.clear();
}

export function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function writeSeldom(element, words) {
  texts.set(element, words);
  seldom(showTexts);
}

export function number(element, value, digits = 3) {
  writeSeldom(element, () => rounded(value, digits));
  element.dataset.value = value === null || value === undefined ? "" : String(value);
}

export function swatch(color) {
  const element = make("span", {className: "swatch", "aria-hidden": "true"});
  element.style.background = `var(${color})`;
  return element;
}

export function figure(parent, words, {digits = 4, color = null, data = {}} = {}) {
  const value = make("span", {className: "number figure-number", dataset: data});
  const word = make("span", {className: "figure-word"}, color && swatch(color), words);
  const element = make("span", {className: "figure"}, word, value);
  parent.append(element);
  const set = (next) => number(value, next, digits);
  set(null);
  return {element, set};
}

function selectInput(setting, id) {
  const input = make("select", {id, className: "input"});
  for (const {value, label} of setting.choices) {
    input.append(make("option", {value: String(value), textContent: label ?? String(value)}));
  }
  const find = () => setting.choices.find((choice) => String(choice.value) === input.value)?.value;
  return {input, field: input, get: find, set: (value) => { input.value = String(value); }};
}

function radioInput(setting, id) {
  const field = make("div", {className: "segmented", role: "radiogroup"});
  const inputs = setting.choices.map(({value, label}, i) => {
    const radio = make("input", {type: "radio", name: id, id: i ? `${id}-${i}` : id, value: String(value)});
    const text = make("span", {textContent: label ?? String(value)});
    field.append(make("label", {className: "segment", htmlFor: radio.id}, radio, text));
    return radio;
  });
  const get = () => setting.choices[inputs.findIndex((radio) => radio.checked)]?.value;
  const set = (value) => inputs.forEach((radio) => { radio.checked = radio.value === String(value); });
  return {input: field, field, get, set, group: true};
}

function numberInput(setting, id) {
  const input = make("input", {id, type: "number", className: "input", inputMode: "decimal"});
  limit(input, setting);
  // the field's own arrows count in the step, but any number between the bounds may be typed
  input.step = setting.step ?? "any";
  return {
    input, field: input,
    get: () => (input.value.trim() === "" ? NaN : Number(input.value)),
    set: (value) => { if (document.activeElement !== input || Number(input.value) !== value) input.value = value; },
  };
}

const has = (bound) => bound !== undefined && bound !== null;

function limit(input, {low, high}) {
  if (has(low)) input.min = low;
  if (has(high)) input.max = high;
}

function sliderInput(setting, id) {
  const input = make("input", {id, type: "range", className: "slider"});
  limit(input, setting);
  input.step = setting.step ?? "any";
  const value = make("output", {className: "slider-value number", htmlFor: id, "aria-live": "off"});
  const show = () => {
    value.textContent = setting.format ? setting.format(Number(input.value)) : input.value;
    value.dataset.value = input.value;
  };
  input.addEventListener("input", show);
  return {
    input, value, field: make("div", {className: "slider-row"}, input, value), get: () => Number(input.value),
    set: (next) => { input.value = next; show(); },
  };
}

function flagInput(setting, id) {
  const input = make("input", {id, type: "checkbox", className: "check"});
  return {input, field: input, get: () => input.checked, set: (value) => { input.checked = Boolean(value); }};
}

function checksInput(setting, id) {
  const field = make("div", {className: "checks", role: "group"});
  const inputs = setting.choices.map(({value, label}, i) => {
    const input = make("input", {type: "checkbox", className: "check", id: `${id}-${i}`});
    field.append(make("label", {className: "check-label", htmlFor: input.id}, input, label ?? String(value)));
    return {input, value};
  });
  const get = () => inputs.filter(({input}) => input.checked).map(({value}) => value);
  const set = (list) => inputs.forEach(({input, value}) => { input.checked = list.includes(value); });
  return {input: field, field, get, set, group: true};
}

function listInput(setting, id) {
  const input = make("input", {id, type: "text", className: "input", autocomplete: "off", spellcheck: false});
  const get = () => input.value.split(",").map((part) => part.trim()).filter((part) => part !== "")
    .map((part) => (Number.isNaN(Number(part)) ? part : Number(part)));
  return {input, field: input, get, set: (value) => { input.value = value.join(", "); }};
}

function inputFor(setting, id, as) {
  if (setting.kind === "choice") return as === "buttons" ? radioInput(setting, id) : selectInput(setting, id);
  if (setting.kind === "number") return as === "slider" ? sliderInput(setting, id) : numberInput(setting, id);
  if (setting.kind === "flag") return flagInput(setting, id);
  if (setting.kind === "list") return setting.choices ? checksInput(setting, id) : listInput(setting, id);
  return listInput({...setting, kind: "list"}, id);
}

function refusal(setting, value) {
  if (setting.kind !== "number") return null;
  const {low, high} = setting;
  if (Number.isNaN(value)) return `Expected a number${range(low, high)}.`;
  if ((has(low) && value < low) || (has(high) && value > high)) {
    return `Expected a number${range(low, high)}, got ${value}.`;
  }
  return null;
}

function range(low, high) {
  if (has(low) && has(high)) return ` from ${low} to ${high}`;
  if (has(low)) return ` of at least ${low}`;
  return has(high) ? ` of at most ${high}` : "";
}

/** The sentence stays on the screen when its control is near the right edge. */
function keepInside(element, hint) {
  const move = () => {
    hint.style.left = "0px";
    const over = hint.getBoundingClientRect().right - (document.documentElement.clientWidth - 8);
    if (over > 0) hint.style.left = `${-over}px`;
  };
  element.addEventListener("pointerenter", move);
  element.addEventListener("focusin", move);
}

/** The element of a control: label, input, the sentence, and the place for what is wrong. */
function frame(setting, part, id, className) {
  const text = setting.label ?? setting.name;
  const label = make("label", {className: "control-label", textContent: text, id: `${id}-label`});
  if (part.group) part.input.setAttribute("aria-labelledby", label.id);
  else label.htmlFor = id;
  const hint = make("p", {className: "hint", id: `${id}-hint`, textContent: setting.help ?? ""});
  const wrong = make("p", {className: "wrong", id: `${id}-wrong`, role: "alert"});
  part.input.setAttribute("aria-describedby", `${hint.id} ${wrong.id}`);
  const classes = `control control-${setting.kind} ${className}`;
  const element = make("div", {className: classes, dataset: {setting: setting.name}}, label, part.field, hint, wrong);
  keepInside(element, hint);
  const complain = (words) => {
    wrong.textContent = words ?? "";
    if (words) part.input.setAttribute("aria-invalid", "true");
    else part.input.removeAttribute("aria-invalid");
  };
  return {element, complain};
}

/**
 * One labelled input. as: "buttons" (choice) or "slider" (number); live: a slider reports while it is dragged.
 * @returns {{element: HTMLElement, input: HTMLElement, set: function(any), get: function(): any}}
 */
export function control(setting, change, {as, live = true, className = ""} = {}) {
  const id = `control-${setting.name}-${++serial}`;
  const part = inputFor(setting, id, as);
  const {element, complain} = frame(setting, part, id, className);
  let current = setting.default;
  const chosen = async () => {
    const value = part.get();
    if (same(value, current)) return complain(null);
    const words = refusal(setting, value);
    if (words) return complain(words);
    const before = current;
    current = value;
    try {
      await change(setting.name, value);
      complain(null);
    } catch (error) {
      current = before;
      part.set(before);
      complain(error.message);
    }
  };
  part.field.addEventListener(as === "slider" && live ? "input" : "change", chosen);
  const set = (value) => {
    // what a person is typing is not overwritten by the same value that comes back
    if (value === undefined || value === null || same(value, current)) return;
    current = value;
    part.set(value);
    complain(null);
  };
  if (setting.default !== undefined && setting.default !== null) part.set(setting.default);
  return {element, input: part.input, set, get: part.get};
}

/** Controls for the schema's settings, in its order (or in that of `only`); styles: {rate: {as: "slider"}}. */
export function controls(parent, schema, change, {only, styles = {}} = {}) {
  const lines = only ? only.map((name) => schema.find((line) => line.name === name)).filter(Boolean) : schema;
  const all = new Map();
  for (const line of lines) {
    const one = control(line, change, styles[line.name]);
    all.set(line.name, one);
    parent.append(one.element);
  }
  return {
    all,
    get: (name) => all.get(name),
    set(settings) { for (const [name, one] of all) one.set(settings[name]); },
  };
}

/** A button with a sentence that a screen reader says and hovering shows. */
export function button(text, help, onclick, {className = "", icon} = {}) {
  const element = make("button", {type: "button", className: `button ${className}`, title: help, onclick});
  if (icon) {
    element.append(icon);
    element.setAttribute("aria-label", text);
  } else {
    element.textContent = text;
  }
  return element;
}
