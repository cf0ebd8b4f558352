// The panel "draw": a pad to draw a digit on, what the net sees of it (with noise) and what it makes of it.

import {button, control, make} from "../controls.js";
import {later, surface} from "../draw/canvas.js";
import {tile} from "../draw/images.js";
import {color, shades} from "../draw/palette.js";
import {panel} from "../panel.js";
import {takeDrops} from "./drop.js";
import {latest} from "./latest.js";
import {Pad, SIDE, centred} from "./pad.js";
import {failure, figure, picture} from "./parts.js";

const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const KEYS = "Arrow keys move the pen, the space bar draws; hold it for a line. Delete clears, Control and Z undoes.";

/** The drawing surface: pointer and keyboard make lines on the pad; changed() is called after each. */
function drawingSurface(parent, pad, tool, changed) {
  const cursor = {x: SIDE / 2, y: SIDE / 2};
  let pen = null; // the pointer's last place while it is down
  let space = false;
  let keyboard = false;
  const shown = surface(parent, {
    className: "pad", label: "Drawing pad of 28 by 28 pixels",
    draw(context, width, height) {
      tile(context, pad.pixels, 0, SIDE, {x: 0, y: 0, width, height}, shades("--blue"));
      if (keyboard) drawCursor(context, cursor, width / SIDE, tool.erase);
    },
  });
  const {canvas} = shown;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "drawing pad");

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return {x: ((event.clientX - box.left) / box.width) * SIDE, y: ((event.clientY - box.top) / box.height) * SIDE};
  };
  const line = (a, b) => {
    pad.line(a, b, tool.erase);
    shown.dirty();
    changed();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    keyboard = false;
    pad.keep();
    pen = at(event);
    line(pen, pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const path = event.getCoalescedEvents?.() ?? [];
    for (const one of path.length ? path : [event]) {
      const next = at(one);
      pad.line(pen, next, tool.erase);
      pen = next;
    }
    shown.dirty();
    changed();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { pen = null; });

  function move([dx, dy]) {
    const from = {...cursor};
    cursor.x = Math.min(SIDE - 0.5, Math.max(0.5, cursor.x + dx));
    cursor.y = Math.min(SIDE - 0.5, Math.max(0.5, cursor.y + dy));
    if (space) line(from, {...cursor});
    shown.dirty();
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.key in MOVES) move(MOVES[event.key]);
    else if (event.key === " " && !event.repeat) {
      space = true;
      pad.keep();
      line({...cursor}, {...cursor});
    } else if (event.key === "Delete" || event.key === "Backspace") tool.clear();
    else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) tool.undo();
    else if (event.key !== " ") return;
    keyboard = true;
    event.preventDefault();
    shown.dirty();
  });
  canvas.addEventListener("keyup", (event) => { if (event.key === " ") space = false; });
  canvas.addEventListener("focus", () => {
    keyboard = canvas.matches(":focus-visible");
    shown.dirty();
  });
  canvas.addEventListener("blur", () => {
    keyboard = space = false;
    shown.dirty();
  });
  return shown;
}

/** The keyboard's pen: a ring around the pixel. */
function drawCursor(context, {x, y}, unit, erase) {
  context.strokeStyle = color(erase ? "--ink" : "--orange");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x * unit, y * unit, unit * 1.1, 0, 2 * Math.PI);
  context.stroke();
}

/** The buttons under the pad. */
function toolbar(parent, pad, tool, changed) {
  const pick = (erase) => {
    tool.erase = erase;
    pen.setAttribute("aria-pressed", String(!erase));
    eraser.setAttribute("aria-pressed", String(erase));
  };
  const pen = button("Pen", "Draws", () => pick(false));
  const eraser = button("Eraser", "Takes ink away", () => pick(true));
  tool.undo = () => { if (pad.undo()) changed(); };
  tool.clear = () => {
    pad.clear();
    pick(false);
    changed();
  };
  tool.centre = () => {
    if (pad.empty) return;
    pad.put(centred(pad.pixels));
    changed();
  };
  const undo = button("Undo", "Takes the last stroke back", tool.undo, {className: "quiet"});
  const clear = button("Clear", "Empties the pad", tool.clear, {className: "quiet"});
  const centre = button("Centre", "Makes the drawing as large as MNIST's digits and puts it in the middle", tool.centre,
    {className: "quiet"});
  pick(false);
  parent.append(make("div", {className: "pad-tools", role: "group", "aria-label": "Drawing tools"},
    make("span", {className: "pad-pens"}, pen, eraser), undo, clear, centre));
  return () => {
    undo.disabled = pad.past.length === 0;
    clear.disabled = centre.disabled = pad.empty;
  };
}

/** What the net sees and what it makes of it, with the slider of the noise between. */
function results(parent, wire, failed) {
  const element = make("div", {className: "pad-results"});
  const side = (caption, options) => {
    const part = make("figure", {className: "pad-result"});
    const shown = picture(part, options);
    part.append(make("figcaption", {textContent: caption}));
    element.append(part);
    return shown;
  };
  const seen = side("what the net sees", {label: "The drawing as the net sees it, with noise", color: "--ink"});
  const made = side("what it makes of it", {label: "What the net makes of the drawing", color: "--orange"});
  const send = latest((level) => wire.command("draw_noise", {level}), failed);
  const noise = control({
    name: "draw_noise", label: "Add noise", kind: "number", low: 0, high: 1, step: 0.05, default: 0,
    format: (value) => value.toFixed(2), help: "Does the net draw the digit without it? A denoising net has learnt to.",
  }, (name, level) => send(level), {as: "slider", className: "pad-noise"});
  element.append(noise.element);
  const error = figure(element, "squared error a pixel");
  parent.append(element);
  return {
    set(data) {
      seen.set((data.noisy ?? data.pixels)?.data ?? null);
      made.set(data.reconstruction?.data ?? null);
      error.set(data.error);
      if (data.noise !== undefined && !send.busy) noise.set(data.noise);
    },
    destroy() {
      seen.destroy();
      made.destroy();
    },
  };
}

export function create(wire, parent, page) {
  const failed = failure(page);
  const section = panel(parent, {
    name: "draw", title: "Draw a digit", watch: ["drawing"], className: "ae-draw",
    note: "With the mouse, a finger or the keyboard. The net draws it again.",
  });
  const pad = new Pad();
  const tool = {erase: false};
  let touched = false; // a person drew here: what comes back from the host is older
  const send = latest((pixels) => wire.command("draw", pixels ? {pixels} : {}), failed);

  const left = make("div", {className: "pad-side"});
  const frame = make("div", {className: "pad-frame"});
  const empty = make("p", {className: "pad-empty", textContent: "draw here", "aria-hidden": "true"});
  left.append(frame);
  section.body.append(left);
  const shown = drawingSurface(frame, pad, tool, () => changed());
  const keys = make("p", {className: "sr", id: "pad-keys", textContent: KEYS});
  shown.canvas.setAttribute("aria-describedby", keys.id);
  frame.append(empty, keys);
  const refresh = toolbar(left, pad, tool, () => changed());
  const beside = results(section.body, wire, failed);

  function show() {
    empty.hidden = !pad.empty;
    refresh();
    shown.dirty();
  }
  function changed() {
    touched = true;
    later(show);
    send(pad.empty ? null : [...pad.pixels]);
  }
  const brought = (event) => {
    touched = true;
    pad.put(event.detail);
    show();
  };
  document.addEventListener("moonglass-picture", brought);
  takeDrops(section.body, wire, failed);
  show();

  return {
    element: section.element, pad,
    events: {
      drawing(data) {
        beside.set(data);
        if (touched || !data.pixels || !pad.empty) return;
        pad.pixels = Uint8Array.from(data.pixels.data);
        show();
      },
    },
    destroy() {
      document.removeEventListener("moonglass-picture", brought);
      shown.destroy();
      beside.destroy();
      section.destroy();
    },
  };
}
