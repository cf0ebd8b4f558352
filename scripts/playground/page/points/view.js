/** The tab "Points": a small net learns points of the plane. app.js says what a view is. */

import {controls, make, same} from "../controls.js";
import {onNarrow} from "../panel.js";
import {dataPanel} from "./data.js";
import {netPanel} from "./net.js";
import {outputPanel} from "./output.js";

export const room = "points";
export const lists = ["features", "hidden"];

const TRAINING = ["rate", "activation", "regularisation", "regularisation_rate", "optimizer"];

/** Which part draws which event. */
function eventsOf({head, data, net, output}, page) {
  let training = null;
  let shown = null; // the settings, which come with each frame
  return {
    schema({settings}) {
      shown = null;
      training ??= controls(head, settings, (name, value) => page.set({[name]: value}), {only: TRAINING});
      data.schema(settings);
      output.schema(settings);
    },
    state(state) {
      if (same(state.settings, shown)) return;
      shown = state.settings;
      training?.set(state.settings);
      for (const part of [data, output, net]) part.state(state);
    },
    epoch: (one) => output.epoch(one),
    curve: (one) => output.losses(one),
    features: (one) => net.features(one),
    points(one) {
      for (const part of [data, output, net]) part.points(one);
    },
    units(one) {
      output.units(one);
      net.units(one);
    },
    weights: (one) => net.weights(one),
  };
}

export function create(wire, parent, page) {
  const head = make("section", {className: "points-training", "aria-label": "How the net learns"});
  const columns = make("div", {className: "points-columns"});
  parent.append(make("h2", {className: "sr", textContent: "Points"}), head, columns);
  const data = dataPanel(columns, page);
  const output = outputPanel(columns, data.table, wire, page);
  const net = netPanel(columns, wire, page, {looked: (unit) => output.look(unit)});
  // the net stands before the output, on a phone after it; in the document too, so that the tab key agrees
  const [drawn, said] = [net.panel.element, output.panel.element];
  onNarrow((narrow) => (narrow ? said.after(drawn) : said.before(drawn)));
  output.changed = () => net.discrete(output.discrete());
  output.changed();
  return {
    events: eventsOf({head, data, net, output}, page),
    shown: () => output.shown(),
    message: (words) => output.message(words),
    reopen: () => output.own.reopen(),
  };
}
