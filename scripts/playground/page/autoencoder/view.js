// The tab "Autoencoder": its panels, each a module that the lecture can show alone, and take away.

import {make} from "../controls.js";
import {onNarrow} from "../panel.js";
import {Wire} from "../wire.js";
import * as code from "./code.js";
import * as density from "./density.js";
import * as digits from "./digits.js";
import * as draw from "./draw.js";
import * as filters from "./filters.js";
import * as loss from "./loss.js";
import * as map from "./map.js";
import * as memory from "./memory.js";
import * as own from "./own.js";
import * as pca from "./pca.js";
import * as samples from "./samples.js";
import {createSettings} from "./settings.js";

export const room = "autoencoder";

const PANELS = [draw, code, digits, filters, loss, density, map, pca, memory, own];
const STARTED = "moonglass-autoencoder-started";

export function create(wire, parent, page) {
  const grid = make("div", {className: "panels ae-panels"});
  parent.append(grid);
  const settings = createSettings(grid, page);
  const panels = PANELS.map((one) => one.create(wire, grid, page));
  // here the test digits have new pictures under them; in the lecture they stand alone
  panels.push(samples.create(wire, panels[PANELS.indexOf(digits)].element, page));
  // on a phone the drawing and its code come first, elsewhere the settings; in the document too, for the tab key
  onNarrow((narrow) => (narrow ? panels[1].element.after(settings.element) : grid.prepend(settings.element)));

  /** The first visit begins with training: what one sees is to move. Later a person's pause holds. */
  function start(state) {
    if (sessionStorage.getItem(STARTED) === wire.token) return;
    sessionStorage.setItem(STARTED, wire.token);
    if (!state.running && state.epoch === 0 && !state.batch) wire.command("run").catch(page.failed);
  }

  const events = {
    schema: (data) => settings.schema(data.settings),
    state(data) {
      settings.state(data);
      panels.forEach((one) => one.events.state?.(data));
      start(data);
    },
  };
  for (const name of Wire.EVENTS) events[name] ??= (data) => panels.forEach((one) => one.events[name]?.(data));
  return {events};
}
