/**
 * The panel "Output": losses with their curve, the plane, and what is shown on it.
 *
 *   const o = outputPanel(parent, table, wire, page);     table: see own.js
 *   o.schema(lines), o.state(state), o.epoch(data), o.points(data), o.units(data)     from the events
 *   o.losses(data)                          from the event "curve"
 *   o.look({words, bytes, side} | null)     shows a unit in the plane's place
 *   o.changed = f                           called when "discretise" changed;  o.discrete() says how it is
 */

import {control, figure, make, write} from "../controls.js";
import {picture, surface} from "../draw/canvas.js";
import {curve} from "../draw/curve.js";
import {seldom} from "../draw/frames.js";
import {heatmap} from "../draw/heatmap.js";
import {panel} from "../panel.js";
import {CLASS_NAMES} from "./names.js";
import {ownPoints} from "./own.js";
import {plane} from "./plane.js";

const NOTE = "The colour is what the net says at each place; points have the colour that is right.";

function option(page, name, label, help, changed) {
  const line = {name: `view-${name}`, label, help, kind: "flag", default: false};
  const one = control(line, (_, value) => {
    page.setOption(name, value, false);
    changed();
  });
  one.set(page.option(name, false));
  return one;
}

/** The colours of values from -1 to 1, and these numbers under them. */
function scale() {
  const bar = picture(null, {className: "points-scale", draw: (context, width, height) => {
    heatmap(context, Uint8Array.from({length: 256}, (_, i) => i), 256, 1, {width, height});
  }});
  const words = ["−1", "0", "1"].map((textContent) => make("span", {textContent}));
  return [bar.element, make("div", {className: "points-scale-words number"}, ...words)];
}

class Output {
  constructor(parent, table, wire, page) {
    this.page = page;
    const className = "points-output";
    this.panel = panel(parent, {title: "Output", note: NOTE, name: "output", watch: ["units"], className});
    this.changed = () => {};
    this.curves = {x: [], series: []};
    const losses = make("div", {className: "points-losses"});
    this.panel.body.append(losses);
    this.test = figure(losses, "test loss", {color: "--orange"});
    this.train = figure(losses, "training loss", {color: "--blue"});
    this.curve = surface(this.panel.body, {
      label: "Curves of training and test loss over the epochs", className: "points-curve",
      draw: (context, width, height) => {
        curve(context, width, height, this.curves, {log: this.page.option("log", false)});
      },
    });
    this.own = ownPoints(this.panel.body, table, wire, page);
    this.plane = plane(this.panel.body, {
      moved: (where) => this.read(where),
      placed: (x, y) => { if (this.own.active()) this.own.place(x, y); },
      key: (key) => this.own.active() && this.own.key(key),
      dropped: (text) => this.own.text(text),
    });
    this.buildFoot();
  }

  buildFoot() {
    this.readout = make("p", {className: "points-readout number"});
    this.legend = make("div", {className: "points-legend"});
    const apply = () => this.apply();
    this.flags = [
      option(this.page, "test", "Show test data", "Points that the net never learns from, as rings.", apply),
      option(this.page, "discrete", "Discretise", "Only the side of the border, not how sure the net is.", apply),
      option(this.page, "log", "Log scale", "The losses on an axis of powers of ten.", apply),
    ];
    const flags = make("div", {className: "points-flags"}, ...this.flags.map(({element}) => element));
    this.panel.body.append(this.readout, this.legend, flags);
    this.drawLegend(2);
    this.read(null);
    apply();
  }

  discrete() { return this.page.option("discrete", false); }

  /** Options of the address may have changed. */
  shown() {
    ["test", "discrete", "log"].forEach((name, i) => this.flags[i].set(this.page.option(name, false)));
    this.apply();
  }

  /** Of own points all are seen: a place where one was put and nothing appears would puzzle. */
  apply() {
    this.plane.options({test: this.page.option("test", false) || this.own.active(), discrete: this.discrete()});
    this.curve.dirty();
    this.changed();
  }

  drawLegend(classes) {
    if (this.classes === classes) return;
    this.classes = classes;
    if (classes === 3) {
      const entries = CLASS_NAMES.map((name, i) => make("span", {}, make("i", {className: `swatch shape-${i} ${name}`}),
        `class ${i}`));
      this.legend.replaceChildren(make("div", {className: "legend"}, ...entries));
      return;
    }
    this.scale ??= scale();
    this.legend.replaceChildren(...this.scale);
  }

  schema(lines) { this.own.schema(lines); }

  state(state) {
    this.own.state(state);
    if (this.placing !== this.own.active()) {
      this.placing = this.own.active();
      this.plane.placing(this.placing);
      this.apply();
    }
    this.read(this.plane.cross);
  }

  epoch({loss, test_loss}) {
    this.test.set(test_loss);
    this.train.set(loss);
  }

  losses({epoch, loss, test_loss}) {
    this.curves = {x: epoch, series: [
      {values: test_loss ?? [], color: "--orange"}, {values: loss, color: "--blue"},
    ]};
    seldom(this.curve.dirty);
  }

  points(data) {
    this.drawLegend(data.classes);
    this.plane.points(data);
    this.own.points(data);
  }

  units({output}) {
    this.plane.map(output);
    if (this.plane.cross) this.read(this.plane.cross);
  }

  look(unit) {
    this.plane.unit(unit?.bytes ?? null, unit?.side);
    this.panel.title(unit ? unit.words : "Output");
  }

  /** What the room has to say, in the middle of the plane. */
  message(words) { this.plane.message(words); }

  read(where) {
    const idle = this.own?.active() ? "Click or press Enter to place a point."
      : "Point at a place to read the answer there.";
    const value = where && this.plane.at(...where);
    if (value === null || value === undefined) {
      write(this.readout, idle);
      return;
    }
    const show = (v, digits) => v.toFixed(digits).replace("-", "−");
    const said = Array.isArray(value) ? value.map((p) => `${Math.round(p * 100)} %`).join(", ")
      : show(value, 2);
    write(this.readout, `x₁ ${show(where[0], 1)}, x₂ ${show(where[1], 1)}: ${said}`);
  }
}

export const outputPanel = (parent, table, wire, page) => new Output(parent, table, wire, page);
