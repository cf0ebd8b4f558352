// The panel "loss": the curves of training and test loss, and the last numbers.

import {figure, make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {curve} from "../draw/curve.js";
import {seldom} from "../draw/frames.js";
import {panel} from "../panel.js";

const SERIES = [
  {key: "loss", words: "training loss", data: {loss: "train"}, color: "--blue"},
  {key: "test_loss", words: "test loss", data: {loss: "test"}, color: "--orange", dashed: true},
];

export function create(wire, parent) {
  const section = panel(parent, {
    name: "loss", title: "Loss by epoch", className: "ae-loss",
    note: "How wrong the reconstructions are: of the pictures it trains on, and of others.",
  });
  const figures = make("div", {className: "figures"});
  section.body.append(figures);
  const values = SERIES.map((line) => figure(figures, line.words, line));
  let lines = {epoch: [], loss: [], test_loss: []};
  const shown = surface(section.body, {
    className: "loss-curve", label: "Curves of training and test loss over the epochs",
    draw(context, width, height) {
      const series = SERIES.map((line) => ({...line, values: lines[line.key]}));
      curve(context, width, height, {x: lines.epoch, series}, {from: null});
    },
  });

  return {
    element: section.element,
    events: {
      epoch: (data) => SERIES.forEach(({key}, i) => values[i].set(data[key])),
      curve(data) {
        lines = data;
        seldom(shown.dirty);
      },
    },
    destroy() {
      shown.destroy();
      section.destroy();
    },
  };
}
