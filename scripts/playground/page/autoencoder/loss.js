// The panel "loss": the curves of the losses of train and test, and the last numbers.

import {make, number} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {curve} from "../draw/curve.js";
import {panel} from "../panel.js";

const SERIES = [
  {key: "loss", name: "train", color: "--blue"}, {key: "test_loss", name: "test", color: "--orange", dashed: true},
];

function labelled(parent, {name, color}) {
  const swatch = make("span", {className: "swatch", "aria-hidden": "true"});
  swatch.style.background = `var(${color})`;
  const value = make("span", {className: "number figure-number", dataset: {loss: name}});
  number(value, null, 4);
  const word = make("span", {className: "figure-word"}, swatch, `${name} loss`);
  parent.append(make("span", {className: "figure"}, word, value));
  return value;
}

export function create(wire, parent) {
  const section = panel(parent, {
    name: "loss", title: "Loss by epoch", className: "ae-loss",
    note: "How wrong the reconstructions are: of the pictures it trains on, and of others.",
  });
  const figures = make("div", {className: "figures"});
  section.body.append(figures);
  const values = SERIES.map((line) => labelled(figures, line));
  let data = null;
  const shown = surface(section.body, {
    className: "loss-curve", label: "Curves of train and test loss over the epochs",
    draw(context, width, height) {
      const lines = data?.curve ?? {epoch: [], loss: [], test_loss: []};
      const series = SERIES.map((line) => ({...line, values: lines[line.key]}));
      curve(context, width, height, {x: lines.epoch, series}, {from: null});
    },
  });

  return {
    element: section.element,
    events: {
      epoch(next) {
        data = next;
        SERIES.forEach(({key}, i) => number(values[i], data[key], 4));
        shown.dirty();
      },
    },
    destroy() {
      shown.destroy();
      section.destroy();
    },
  };
}
