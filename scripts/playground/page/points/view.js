/** The tab "Points": a small net learns points of the plane. app.js says what a view is. */

import {controls, make} from "../controls.js";
import {dataPanel} from "./data.js";
import {netPanel} from "./net.js";
import {outputPanel} from "./output.js";

export const room = "points";
export const lists = ["features", "hidden"];

const TRAINING = ["rate", "activation", "regularisation", "regularisation_rate", "optimizer"];

export function create(wire, parent, page) {
  const head = make("section", {className: "points-training", "aria-label": "How the net learns"});
  const columns = make("div", {className: "points-columns"});
  parent.append(make("h2", {className: "sr", textContent: "Points"}), head, columns);
  const data = dataPanel(columns, page);
  const output = outputPanel(columns, data.table, wire, page);
  const net = netPanel(columns, wire, page, {looked: (unit) => output.look(unit)});
  columns.insertBefore(net.panel.element, output.panel.element);
  output.changed = () => net.discrete(output.discrete());
  output.changed();
  let training = null;

  const events = {
    schema({settings}) {
      const change = (name, value) => page.set({[name]: value});
      training ??= controls(head, settings, change, {only: TRAINING});
      data.schema(settings);
      output.schema(settings);
    },
    state(state) {
      training?.set(state.settings);
      data.state(state);
      output.state(state);
      net.state(state);
    },
    epoch: (one) => output.epoch(one),
    features: (one) => net.features(one),
    points(one) {
      data.points(one);
      output.points(one);
      net.points(one);
    },
    units(one) {
      output.units(one);
      net.units(one);
    },
    weights: (one) => net.weights(one),
  };
  return {
    events,
    shown: () => output.shown(),
    message: (words) => output.message(words),
    reopen: () => output.own.reopen(),
    destroy() {
      net.destroy();
      parent.replaceChildren();
    },
  };
}
