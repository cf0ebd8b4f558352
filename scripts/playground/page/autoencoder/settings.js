// The settings of the room, from its schema; only those that count for the chosen kind are shown.

import {controls, make} from "../controls.js";

const FIRST = [
  "kind", "code", "hidden", "noise", "noise_level", "sparsity", "penalty", "target", "kept", "beta", "rows", "loss",
];
const STYLES = {kind: {as: "buttons"}, noise_level: {as: "slider", live: false}};

/** True if a setting counts where the others are as they are: one line of its `only` fits, or it has none. */
function applies({only}, settings) {
  if (!only) return true;
  return only.some((line) => Object.entries(line).every(([name, values]) => values.includes(settings[name])));
}

export function createSettings(parent, page) {
  const first = make("div", {className: "controls ae-controls"});
  const more = make("details", {className: "ae-more"}, make("summary", {textContent: "More settings"}));
  const rest = make("div", {className: "controls ae-controls"});
  more.append(rest);
  const element = make("section", {className: "panel ae-settings", "aria-label": "Settings"}, first, more);
  parent.append(element);
  more.open = page.option("more", false);
  more.addEventListener("toggle", () => page.setOption("more", more.open, false));
  let schema = null;
  let sets = [];

  function show(settings) {
    for (const {all, set} of sets) {
      set(settings);
      for (const line of schema) {
        const one = all.get(line.name);
        if (one) one.element.hidden = !applies(line, settings);
      }
    }
  }

  return {
    element,
    schema(lines) {
      if (JSON.stringify(lines) === JSON.stringify(schema)) return;
      schema = lines;
      first.replaceChildren();
      rest.replaceChildren();
      const change = (name, value) => page.set({[name]: value});
      const others = lines.map(({name}) => name).filter((name) => !FIRST.includes(name));
      sets = [
        controls(first, lines, change, {only: FIRST, styles: STYLES}), controls(rest, lines, change, {only: others}),
      ];
    },
    state({settings}) { if (schema) show(settings); },
  };
}
