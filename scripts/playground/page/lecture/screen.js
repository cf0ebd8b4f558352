/**
 * The screen of one step: its text, its control, the panels that show it.
 *
 *   const screen = createScreen(parent, step, {count, wire, page, value, change});
 *   value                 of the control's setting, or undefined for the step's own
 *   change(value)         is called when a person chose another one; returns a promise
 *   screen.schema(list)   makes the control, as soon as the room's settings are known
 *   screen.state(data)    a state of this step's room
 *   screen.take(event, data), screen.destroy()
 */

import * as code from "../autoencoder/code.js";
import * as density from "../autoencoder/density.js";
import * as digits from "../autoencoder/digits.js";
import * as draw from "../autoencoder/draw.js";
import {ask} from "../autoencoder/drop.js";
import * as filters from "../autoencoder/filters.js";
import * as loss from "../autoencoder/loss.js";
import * as map from "../autoencoder/map.js";
import * as memory from "../autoencoder/memory.js";
import * as pca from "../autoencoder/pca.js";
import {button, control, make, write} from "../controls.js";
import {watchWith} from "../panel.js";
import {render} from "./math.js";
import {epochsOf} from "./steps.js";
import {tried} from "./tried.js";

const PANELS = {code, density, digits, draw, filters, loss, map, memory, pca};
const PICTURE = 784;

const paragraph = (className, ...children) => make("p", {className}, ...children);

function links({script, shows}) {
  return paragraph("lecture-script", "The script ",
    make("a", {href: `/scripts/${script}.lua`, target: "_blank", rel: "noopener", textContent: `${script}.lua`}),
    ` measures it: ${shows}.`);
}

function notice(text) {
  return paragraph("lecture-notice", make("strong", {textContent: "Notice that"}), ` ${text}`);
}

function formula({formula: parts, spoken}) {
  const figure = make("div", {className: "lecture-formula"}, render(parts, spoken));
  // a long formula scrolls, also by keyboard
  figure.tabIndex = 0;
  figure.setAttribute("role", "group");
  figure.setAttribute("aria-label", "Formula");
  return figure;
}

/** The schema's setting as buttons for the step's values, as far as the room knows them. */
function settingControl(step, list, value, change) {
  const line = list.find(({name}) => name === step.control.setting);
  if (!line) return null;
  const label = (one) => line.choices?.find((choice) => choice.value === one)?.label ?? String(one);
  const known = (one) => line.kind !== "choice" || line.choices.some((choice) => choice.value === one);
  const choices = step.control.values.filter(known).map((one) => ({value: one, label: label(one)}));
  const usual = value ?? step.settings[line.name] ?? line.default;
  const made = control({...line, kind: "choice", choices, default: usual}, (name, next) => change(next),
    {as: "buttons", className: "open"});
  return {
    element: made.element,
    set: (settings) => made.set(settings[line.name]),
    label: (settings) => label(settings[line.name]),
  };
}

/** Buttons that put a picture on the pad of the panel "draw", and send it as if it had been drawn. */
function presetControl({label, presets}, wire, page) {
  const sent = new Map();
  const show = ({label: name, picture}) => {
    const pixels = picture(wire.last.digits.original.data.slice(0, PICTURE));
    sent.set(name, pixels);
    ask(wire, pixels).catch(page.failed);
  };
  const buttons = presets.map((preset) => button(preset.label, "Puts this on the drawing pad", () => show(preset)));
  for (const one of buttons) one.disabled = true;
  const element = make("div", {className: "lecture-presets", role: "group", "aria-label": label},
    make("p", {className: "control-label", textContent: label, "aria-hidden": "true"}), ...buttons);
  const same = (a, b) => a.every((pixel, i) => pixel === b[i]);
  return {
    element,
    ready() { for (const one of buttons) one.disabled = false; },
    name: (pixels) => [...sent].find(([, picture]) => same(pixels, picture))?.[0] ?? "Your drawing",
  };
}

/** The words under the control: how far the training is. */
function progress(parent) {
  const element = paragraph("lecture-progress", "The net is about to train.");
  parent.append(element);
  return ({epoch, running, settings}) => {
    const all = epochsOf(settings);
    let text = `Training: epoch ${Math.min(epoch + 1, all)} of ${all}.`;
    if (epoch >= all) text = running ? "Training on." : `Trained for ${epoch} epochs. Run goes on from here.`;
    else if (!running) text = `Paused at epoch ${epoch} of ${all}.`;
    write(element, text);
  };
}

/** Under the notice, if the host's pictures are not those that it speaks of. */
function otherSet(parent) {
  const element = paragraph("lecture-progress");
  element.hidden = true;
  parent.append(element);
  return (name) => {
    element.hidden = !name || name === "MNIST";
    write(element, `This speaks of MNIST's digits; the pictures here are ${name}'s, so the numbers differ.`);
  };
}

function textOf(parent, step, number, count) {
  const heading = make("h2", {className: "lecture-title", id: "lecture-title", textContent: step.name});
  const place = make("div", {className: "lecture-control"});
  const element = make("article", {className: "panel lecture-text", "aria-labelledby": heading.id},
    paragraph("lecture-count", `Step ${number} of ${count}`), heading,
    ...step.sentences.map((text) => paragraph("lecture-sentence", text)), place);
  const showProgress = progress(element);
  const measures = make("div");
  element.append(measures, notice(step.notice));
  const showSet = otherSet(element);
  element.append(formula(step), links(step));
  parent.append(element);
  return {element, place, measures, showProgress, showSet};
}

export function createScreen(parent, step, {number, count, wire, page, value, change}) {
  const element = make("div", {className: "lecture-screen"});
  parent.append(element);
  const text = textOf(element, step, number, count);
  const right = make("div", {className: "panels ae-panels lecture-panels"});
  element.append(right);
  const panels = step.panels.map((name) => PANELS[name].create(wire, right, page));
  const presets = step.control.presets ? presetControl(step.control, wire, page) : null;
  const table = tried(text.measures, step.measures, presets ? "shown" : "tried");
  // what the table and the buttons need comes also while its panel is below the screen
  const measured = step.measures.map(({event}) => event).filter((event) => event !== "epoch");
  const unwatch = watchWith(text.element, presets ? [...measured, "digits"] : measured);
  let setting = null;
  if (presets) text.place.append(presets.element);

  /** The drawing that has come back names its line. */
  function drawn(event, data) {
    if (event === "digits") presets.ready();
    if (event === "drawing" && data.pixels) table.line(presets.name(data.pixels.data), true);
  }

  return {
    element: text.element,
    schema(list) {
      if (setting || presets) return;
      setting = settingControl(step, list, value, change);
      if (setting) text.place.append(setting.element);
    },
    state(data) {
      text.showProgress(data);
      text.showSet(data.data);
      for (const panel of panels) panel.events.state?.(data);
      setting?.set(data.settings);
      const other = data.settings.kind !== step.settings.kind && step.control.setting !== "kind";
      if (setting) table.line(`${setting.label(data.settings)}${other ? `, ${data.settings.kind}` : ""}`);
      table.epoch(data.epoch);
    },
    take(event, data) {
      for (const panel of panels) panel.events[event]?.(data);
      if (presets) drawn(event, data);
      if (event !== "drawing" || data.pixels) table.take(event, data);
    },
    destroy() {
      unwatch();
      for (const panel of panels) panel.destroy();
      element.remove();
    },
  };
}
