/**
 * "What you have tried": a line for each setting that was tried in this step, with what came of it.
 *
 *   const table = tried(parent, measures, title);
 *   table.line(label)            the line that is filled from now on; a new one if it has not been tried yet
 *   table.line(label, true)      the same net goes on: the line begins with what is known already
 *   table.epoch(n)               how far it has got
 *   table.take(event, data)      fills the columns that come from this event
 */

import {make, number} from "../controls.js";

const MOST = 6;

export function tried(parent, measures, title) {
  const head = make("tr", {}, ...[title, "epoch", ...measures.map(({label}) => label)]
    .map((text) => make("th", {scope: "col", textContent: text})));
  const body = make("tbody");
  const caption = make("caption", {className: "sr", textContent: "What you have tried"});
  parent.append(make("div", {className: "lecture-tried"}, make("table", {}, caption, make("thead", {}, head), body)));
  const all = new Map();
  const known = new Map(); // for each event what came last
  let last = null; // the epoch
  let now = null;

  function add(label) {
    const cells = ["epoch", ...measures.map((measure) => measure.label)]
      .map((name) => make("td", {className: "number", dataset: {measure: name}}));
    const element = make("tr", {}, make("th", {scope: "row", textContent: label}), ...cells);
    element.dataset.tried = label;
    body.append(element);
    all.set(label, {element, cells});
    if (all.size > MOST) {
      const [oldest, line] = all.entries().next().value;
      line.element.remove();
      all.delete(oldest);
    }
  }

  function fill(event, data) {
    measures.forEach((measure, i) => {
      if (measure.event === event) number(now.cells[i + 1], measure.of(data), measure.digits);
    });
  }

  return {
    line(label, goesOn = false) {
      if (!all.has(label)) add(label);
      now = all.get(label);
      if (goesOn) {
        number(now.cells[0], last, 0);
        for (const [event, data] of known) fill(event, data);
      }
      for (const {element} of all.values()) element.classList.toggle("now", element === now.element);
    },
    epoch(count) {
      last = count;
      if (now) number(now.cells[0], count, 0);
    },
    take(event, data) {
      known.set(event, data);
      if (now) fill(event, data);
    },
  };
}
