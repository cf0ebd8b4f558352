// The panel "loss": the curves of training and test loss, and the last numbers.

import {figure, make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {curve} from "../draw/curve.js";
import {seldom} from "../draw/frames.js";
import {panel} from "../panel.js";

const SERIES = [
  {key: "loss", words: "training loss", data: {loss: "train"}, color: "--blue"},
  {key: "test_loss", words: "test loss", data: {loss: "test"}, color: "--orange", dashed: true},
  // the two parts of a variational net's training loss
  {key: "reconstruction", words: "reconstruction", data: {loss: "reconstruction"}, color: "--label-2"},
  {key: "kl", words: "divergence", data: {loss: "kl"}, color: "--label-4"},
];
const NOTE = "How wrong the reconstructions are: of the pictures it trains on, and of others.";
const NOTE_OF_PARTS = "The training loss is the reconstruction's, of a whole picture, and beta times the divergence: "
  + "how far the codes are from a normal distribution.";

export function create(wire, parent) {
  const section = panel(parent, {
    name: "loss", title: "Loss by epoch", className: "ae-loss",
    note: NOTE,
  });
  const figures = make("div", {className: "figures"});
  section.body.append(figures);
  const values = SERIES.map((line) => figure(figures, line.words, line));
  let lines = {epoch: [], loss: [], test_loss: []};
  const shown = surface(section.body, {
    className: "loss-curve", label: "Curves of training and test loss over the epochs",
    draw(context, width, height) {
      const series = SERIES.filter(({key}) => lines[key]).map((line) => ({...line, values: lines[line.key]}));
      curve(context, width, height, {x: lines.epoch, series}, {from: null});
    },
  });

  return {
    element: section.element,
    events: {
      epoch(data) {
        const hasParts = typeof data.kl === "number";
        section.note(hasParts ? NOTE_OF_PARTS : NOTE);
        SERIES.forEach(({key}, i) => {
          values[i].element.hidden = !hasParts && (key === "kl" || key === "reconstruction");
          values[i].set(data[key]);
        });
      },
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
