// The panel "digits": ten test digits over what the net makes of them; the one that is chosen is the code panel's.

import {button, make, number, swatch} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {tile} from "../draw/images.js";
import {shades} from "../draw/palette.js";
import {panel} from "../panel.js";
import {takeDrops} from "./drop.js";
import {SIDE} from "./pad.js";
import {hasUnseen} from "./parts.js";
import {hasDigits, labelWord, thing} from "./words.js";

const SIZE = SIDE * SIDE;
const SHOWN = 10;
const LINE_GAP = 4;
const UNSEEN = "The net has never trained on these. Choose one to see its code.";
const SEEN = "Your own pictures, which the net trains on. Choose one to see its code.";
const LINES = [
  {name: "original", color: "--blue"}, {name: "noisy", color: "--ink"}, {name: "reconstruction", color: "--orange"},
];

/** One column: a digit's pictures one under the other, its label and its error; a radio button of the group. */
function column(parent, i, choose, wire) {
  let data = null;
  let lines = [];
  const element = make("button", {
    type: "button", className: "digit", role: "radio", "aria-checked": "false", "aria-label": `picture ${i + 1}`,
    tabIndex: -1,
  });
  const shown = surface(element, {
    className: "digit-pictures",
    draw(context, width, height) {
      const size = (height + LINE_GAP) / lines.length - LINE_GAP; // a little less than the width
      lines.forEach(({name, color}, line) => {
        const box = {x: (width - size) / 2, y: line * (size + LINE_GAP), width: size, height: size};
        tile(context, data[name].data, i * SIZE, SIDE, box, shades(color));
      });
    },
  });
  const label = make("span", {className: "digit-label"});
  const error = make("span", {className: "digit-error number", title: "mean squared error of this picture"});
  element.append(make("span", {className: "digit-words"}, label, error));
  element.addEventListener("click", () => choose(i));
  parent.append(element);
  return {
    element, destroy: shown.destroy,
    set(next, chosen) {
      data = next;
      lines = LINES.filter(({name}) => data[name]);
      const there = i < data.rows.length;
      element.hidden = !there;
      if (!there) return;
      shown.canvas.style.aspectRatio = `1 / ${lines.length}`;
      const row = data.rows[i];
      const word = data.labels ? labelWord(wire, data.labels[i]) : null;
      label.textContent = word ?? `#${row}`;
      element.setAttribute("aria-label", word ? `a ${word}, test row ${row}` : `picture ${row}`);
      element.setAttribute("aria-checked", String(chosen));
      number(error, data.errors[i], 3);
      shown.dirty();
    },
  };
}

/** A key: which colour is which line. */
function key(parent) {
  const marks = LINES.map(({name, color}) => {
    return make("span", {className: "key-mark", dataset: {line: name}}, swatch(color), name);
  });
  parent.append(make("p", {className: "key"}, ...marks));
  return (data) => marks.forEach((mark) => { mark.hidden = !data[mark.dataset.line]; });
}

export function create(wire, parent, page) {
  const {failed} = page;
  const section = panel(parent, {
    name: "digits", title: "Test digits", watch: ["digits"], className: "ae-digits",
    note: UNSEEN,
  });
  const showKey = key(section.body);
  const group = make("div", {
    className: "digits", role: "radiogroup", "aria-label": "Test pictures, arrow keys choose",
  });
  section.body.append(group);
  let data = null;
  let row = wire.last.code?.row ?? null;

  const columns = Array.from({length: SHOWN}, (_, i) => column(group, i, choose, wire));

  function draw() {
    if (!data) return;
    showKey(data);
    const at = data.rows.indexOf(row);
    columns.forEach((one, i) => {
      one.set(data, i === at);
      one.element.tabIndex = i === Math.max(0, at) ? 0 : -1;
    });
  }

  function choose(i) {
    row = data.rows[i];
    draw();
    wire.command("choose", {row}).catch(failed);
  }

  group.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step || !data) return;
    event.preventDefault();
    const from = columns.findIndex(({element}) => element === document.activeElement);
    const to = (from + step + data.rows.length) % data.rows.length;
    columns[to].element.focus();
    choose(to);
  });

  async function others(step) {
    const first = Math.max(1, (data?.rows[0] ?? 1) + step);
    // past the last row the first ones come again
    await wire.command("digits", {first}).catch(() => wire.command("digits", {first: 1})).catch(failed);
  }
  section.tools.append(
    button("‹", "The ten pictures before", () => others(-SHOWN), {className: "quiet"}),
    button("Ten others", "Shows the next ten pictures of the test set", () => others(SHOWN)),
  );
  section.tools.firstChild.setAttribute("aria-label", "The ten pictures before");
  takeDrops(section.body, wire, failed);

  return {
    element: section.element,
    events: {
      digits(next) {
        data = next;
        section.title(`Test ${thing(wire)}s`);
        group.classList.toggle("digits-named", !hasDigits(wire));
        section.note(hasUnseen(wire) ? UNSEEN : SEEN);
        draw();
      },
      code(next) {
        row = next.source === "test" ? next.row : null;
        draw();
      },
    },
    destroy() {
      columns.forEach((one) => one.destroy());
      section.destroy();
    },
  };
}
