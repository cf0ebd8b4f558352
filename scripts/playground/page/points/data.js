/**
 * The panel "Data": which set, its noise, the share for training, the batch, the seed.
 *
 *   const d = dataPanel(parent, page);  d.schema(settings);  d.state(state);  d.points(data);
 *   d.table      a place below the sets, for what own points need
 */

import {button, controls, make} from "../controls.js";
import {picture} from "../draw/canvas.js";
import {panel} from "../panel.js";
import {drawSet} from "./sets.js";

const SHORT = {
  circle: "Circle", xor: "Exclusive or", gauss: "Two clouds", spiral: "Two spirals", spirals3: "Three spirals",
  plane: "Plane", gaussian: "Hills", own: "Own points",
};
const GROUPS = [
  ["2 classes", ["circle", "xor", "gauss", "spiral"]],
  ["Values", ["plane", "gaussian"]],
  ["3 classes", ["spirals3"]],
  ["Yours", ["own"]],
];
const MOST_SEED = 999999;

function choice(value, line, name, choose) {
  const known = line.choices.find((one) => one.value === value);
  const label = known?.label ?? value;
  const input = make("input", {type: "radio", name, value, className: "set-input", "aria-label": label});
  input.addEventListener("change", () => choose(value));
  const tile = make("span", {className: "set-tile"});
  picture(tile, {className: "set-picture", draw: (context, width, height) => {
    context.translate((width - height) / 2, 0);
    drawSet(context, height, value);
  }});
  const element = make("label", {className: "set", title: label}, input, tile,
    make("span", {className: "set-name", textContent: SHORT[value] ?? label, "aria-hidden": "true"}));
  return {element, input};
}

/** The sets as a group of radio buttons with pictures. */
function setChooser(parent, line, choose) {
  const group = make("div", {className: "sets", role: "radiogroup", "aria-label": line.label});
  const hint = make("p", {className: "sr", id: "sets-hint", textContent: line.help});
  group.setAttribute("aria-describedby", hint.id);
  const all = new Map();
  const known = new Set(line.choices.map(({value}) => value));
  for (const [title, values] of GROUPS) {
    const row = make("div", {className: "sets-row"});
    for (const value of values.filter((one) => known.has(one))) {
      const one = choice(value, line, "set", choose);
      all.set(value, one);
      row.append(one.element);
    }
    const heading = make("h3", {className: "sets-title", textContent: title});
    group.append(make("div", {className: `sets-group sets-${row.childElementCount}`}, heading, row));
  }
  parent.append(group, hint);
  return {set: (value) => all.forEach((one, name) => { one.input.checked = name === value; })};
}

export function dataPanel(parent, page) {
  const self = panel(parent, {title: "Data", name: "data", watch: ["points"], className: "points-data"});
  const change = (name, value) => page.set({[name]: value});
  const count = make("span", {className: "points-count number", title: "Points for training + for the test"});
  self.tools.append(count);
  const fresh = button("New points", "Draws points and first weights from another seed", () => {
    change("seed", Math.floor(Math.random() * (MOST_SEED + 1))).catch(page.failed);
  }, {className: "points-fresh"});
  const table = make("div");
  let sets = null;
  let sliders = null;
  return {
    schema(lines) {
      if (sets) return;
      sets = setChooser(self.body, lines.find(({name}) => name === "problem"), (value) => {
        change("problem", value).catch(page.failed);
      });
      const box = make("div", {className: "points-sliders"});
      self.body.append(table, box);
      sliders = controls(box, lines, change, {
        only: ["ratio", "noise", "batch", "seed"],
        styles: {ratio: {as: "slider"}, noise: {as: "slider"}, batch: {as: "slider"}},
      });
      box.append(fresh);
    },
    table,
    state({settings}) {
      if (sliders) sliders.get("noise").input.disabled = settings.problem === "own";
      sets?.set(settings.problem);
      sliders?.set(settings);
    },
    points({train, test}) {
      count.textContent = `${train.shape[0]} + ${test.shape[0]}`;
      count.dataset.value = `${train.shape[0]} ${test.shape[0]}`;
    },
  };
}
