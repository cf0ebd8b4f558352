// The panel "density": how the numbers of all codes are spread, and how many of them are zero.

import {button, figure, make} from "../controls.js";
import {drawBars} from "../draw/bars.js";
import {surface} from "../draw/canvas.js";
import {color} from "../draw/palette.js";
import {panel} from "../panel.js";

const FOOT = 18;

/** Numbers under the histogram: its ends, and 0 where it lies between. */
function axis(context, width, height, edges) {
  const [low, high] = [edges[0], edges[edges.length - 1]];
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = color("--muted");
  context.textBaseline = "alphabetic";
  const text = (value, x, align) => {
    context.textAlign = align;
    context.fillText(String(Number(value.toPrecision(3))).replace("-", "−"), x, height - 4);
  };
  text(low, 0, "left");
  text(high, width, "right");
  const zero = (-low / (high - low)) * width;
  if (zero > 48 && zero < width - 48) text(0, zero, "center");
  context.fillStyle = color("--line");
  context.fillRect(0, height - FOOT, width, 1);
}

const NOTE = "The numbers of all codes, counted by size (on a scale of powers of ten). A sparse net keeps most at "
  + "zero.";
const NEVER_ZERO = "Only a code with the activation ReLU has numbers that are exactly zero.";

/** A sparse net whose code cannot have zeros: what is said, and a button that changes it. */
function hint(wire, failed) {
  const settings = {code_activation: "relu"};
  const use = () => wire.command("set", {settings}).then(() => wire.command("run")).catch(failed);
  const element = make("p", {className: "density-hint", hidden: true}, NEVER_ZERO,
    button("Use ReLU", "Starts the net anew with ReLU as the code's activation", use, {className: "small"}));
  return {
    element,
    show({kind, sparsity, code_activation}) {
      element.hidden = kind !== "sparse" || sparsity !== "l1" || code_activation === "relu";
    },
  };
}

export function create(wire, parent, page) {
  const section = panel(parent, {
    name: "density", title: "Density of codes", watch: ["density"], className: "ae-density",
    note: NOTE,
  });
  const figures = make("div", {className: "figures"});
  const never = hint(wire, page.failed);
  section.body.append(never.element, figures);
  const zeros = figure(figures, "share of zeros, %", {digits: 1});
  const mean = figure(figures, "mean", {digits: 3});
  const dead = figure(figures, "dead units", {digits: 0});
  let data = null;
  const shown = surface(section.body, {
    className: "density", label: "Histogram of the codes' numbers",
    draw(context, width, height) {
      if (!data) return;
      drawBars(context, width, height - FOOT, data.counts.map((n) => Math.log10(1 + n)));
      axis(context, width, height, data.edges);
    },
  });

  return {
    element: section.element,
    events: {
      state: ({settings}) => never.show(settings),
      density(next) {
        data = next;
        zeros.set(100 * data.zeros);
        mean.set(data.mean);
        dead.set(data.dead);
        shown.dirty();
      },
    },
    destroy() {
      shown.destroy();
      section.destroy();
    },
  };
}
