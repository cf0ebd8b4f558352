// The panel "memory": rows that the net trains on beside rows that it never saw. With few rows it learns them by heart.

import {button, figure, make} from "../controls.js";
import {panel} from "../panel.js";
import {hasUnseen, strip} from "./parts.js";

const FEW = 50;
const SHOWN = 5;

/** Originals over reconstructions of one side, with its loss. */
function side(parent, title, what) {
  const element = make("div", {className: "memory-side"}, make("h3", {className: "memory-title", textContent: title}));
  parent.append(element);
  const original = strip(element, {caption: "original", label: `${what}: originals`, color: "--blue", columns: SHOWN});
  const made = strip(element, {caption: "net", label: `${what}: reconstructions`, color: "--orange", columns: SHOWN});
  return {
    element,
    set(data) {
      original.set(data.original.data);
      made.set(data.reconstruction.data);
    },
    destroy() {
      original.destroy();
      made.destroy();
    },
  };
}

const GAP = "Few pictures are learnt by heart: the losses drift apart. Noise narrows the gap."
const ALL = "The net trains on all of your pictures: none is left that it has never seen.";

export function create(wire, parent, page) {
  const section = panel(parent, {
    name: "memory", title: "Learnt by heart?", watch: ["memory"], className: "ae-memory",
    note: GAP,
  });
  const sides = make("div", {className: "memory-sides"});
  section.body.append(sides);
  const train = side(sides, "Trained on", "Training pictures");
  const test = side(sides, "Never seen", "Test pictures");
  const figures = make("div", {className: "figures"});
  section.body.append(figures);
  const rows = figure(figures, "training pictures", {digits: 0});
  const trainLoss = figure(figures, "training loss");
  const testLoss = figure(figures, "test loss");
  const gap = figure(figures, "gap");
  const start = (settings) => wire.command("set", {settings}).then(() => wire.command("run")).catch(page.failed);
  section.body.append(make("div", {className: "memory-tries"},
    button(`Train on ${FEW}`, `Starts a deep net anew that sees only ${FEW} pictures`,
      () => start({kind: "deep", rows: FEW, data: "set"})),
    button(`${FEW} with noise`, `Starts a denoising net anew with only ${FEW} pictures, each time with other noise`,
      () => start({kind: "denoising", rows: FEW, data: "set"}))));

  return {
    element: section.element,
    events: {
      memory(data) {
        const unseen = hasUnseen(wire);
        section.note(unseen ? GAP : ALL);
        test.element.hidden = testLoss.element.hidden = gap.element.hidden = !unseen;
        train.set(data.train);
        test.set(data.test);
        rows.set(data.rows);
        trainLoss.set(data.train.loss);
        testLoss.set(data.test.loss);
        gap.set(data.gap);
      },
    },
    destroy() {
      train.destroy();
      test.destroy();
      section.destroy();
    },
  };
}
