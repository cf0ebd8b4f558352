// The panel "filters": the weights into each unit of the first layer as a picture, growing while the net trains.

import {figure, make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {layout, tiles} from "../draw/images.js";
import {color, diverging} from "../draw/palette.js";
import {panel} from "../panel.js";
import {SIDE} from "./pad.js";

const NOTE = "What each unit of the first layer looks for: blue where ink excites it, orange where ink holds it back.";
const GAP = 4;
const LARGEST = 84; // three times the pixels
const HIGHEST = 232; // of all lines together

/** Columns and size of the tiles: the largest whose lines are not too high together; a phone scrolls. */
function arrange(n, width) {
  const sizeOf = (columns) => Math.min(LARGEST, Math.floor((width + GAP) / columns) - GAP);
  const heightOf = (columns) => layout(n, columns, sizeOf(columns), GAP).height;
  let columns = Math.min(n, Math.max(4, Math.ceil((width + GAP) / (LARGEST + GAP))));
  while (width > 480 && columns < n && heightOf(columns) > HIGHEST) columns++;
  if (width <= 480) columns = Math.min(n, 8);
  // a full last line looks better than slightly larger tiles
  const even = Array.from({length: Math.ceil(columns / 4)}, (_, i) => columns + i).find((more) => n % more === 0);
  columns = even ?? columns;
  const size = sizeOf(columns);
  return {columns, size, gap: GAP, ...layout(n, columns, size, GAP)};
}

/** A cross over a dead unit, which is grey. */
function cross(context, x, y, size) {
  context.strokeStyle = color("--panel");
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x + 6, y + 6);
  context.lineTo(x + size - 6, y + size - 6);
  context.moveTo(x + size - 6, y + 6);
  context.lineTo(x + 6, y + size - 6);
  context.stroke();
}

export function create(wire, parent) {
  const section = panel(parent, {
    name: "filters", title: "First-layer filters", watch: ["filters"], className: "ae-filters",
    note: NOTE,
  });
  const figures = make("div", {className: "figures"});
  section.body.append(figures);
  const total = figure(figures, "units in all", {digits: 0});
  const shownCount = figure(figures, "shown", {digits: 0});
  const dead = figure(figures, "dead (crossed)", {digits: 0});
  let data = null;
  const shown = surface(section.body, {
    className: "filters", label: "Weights of the first layer, a picture for each unit",
    draw(context, width) {
      if (!data) return;
      const n = data.maps.shape[0];
      const board = arrange(n, width);
      shown.canvas.style.height = `${board.height}px`;
      const {columns, size, gap} = board;
      const mark = (i) => data.dead[i];
      tiles(context, data.maps.data, n, {side: SIDE, columns, size, gap, table: diverging(), mark});
      for (let i = 0; i < n; i++) {
        if (data.dead[i]) cross(context, (i % columns) * (size + gap), Math.floor(i / columns) * (size + gap), size);
      }
    },
  });

  return {
    element: section.element,
    events: {
      filters(next) {
        data = next;
        total.set(data.total);
        shownCount.set(data.maps.shape[0]);
        dead.set(data.dead_total);
        section.note(`${NOTE} A dead unit gives 0 for each of ${data.rows} test pictures.`);
        shown.dirty();
      },
    },
    destroy() {
      shown.destroy();
      section.destroy();
    },
  };
}
