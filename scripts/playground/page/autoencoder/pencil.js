/**
 * The surface on which a person draws: mouse, finger and keyboard make lines on a pad.
 *
 *   const p = new Pencil(parent, pad, {changed(), clear(), undo()});    changed() is called after each line
 *   p.erase = true;    p.dirty() after the pad changed by other means
 */

import {make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {tile} from "../draw/images.js";
import {color, shades} from "../draw/palette.js";
import {SIDE} from "./pad.js";

const MOVES = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const KEYS = "Arrow keys move the pen, the space bar draws; hold it for a line. Delete clears, Control and Z undoes.";

let count = 0;

/** The keyboard's pen: a ring around its place. */
function drawCursor(context, {x, y}, unit, erase) {
  context.strokeStyle = color(erase ? "--ink" : "--orange");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x * unit, y * unit, unit * 1.1, 0, 2 * Math.PI);
  context.stroke();
}

const isUndo = (event) => event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);

export class Pencil {
  constructor(parent, pad, actions) {
    this.pad = pad;
    this.actions = actions;
    this.erase = false;
    this.last = null; // the pointer's last place while it is down
    this.cursor = {x: SIDE / 2, y: SIDE / 2}; // the keyboard's place
    this.space = false;
    this.keyboard = false;
    this.surface = surface(parent, {
      className: "pad", label: "Drawing pad of 28 by 28 pixels",
      draw: (context, width, height) => this.draw(context, width, height),
    });
    const {canvas} = this.surface;
    const help = make("p", {className: "sr", id: `pad-keys-${++count}`, textContent: KEYS});
    parent.append(help);
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-roledescription", "drawing pad");
    canvas.setAttribute("aria-describedby", help.id);
    this.listenPointer(canvas);
    this.listenKeys(canvas);
  }

  dirty() {
    this.surface.dirty();
  }

  destroy() {
    this.surface.destroy();
  }

  draw(context, width, height) {
    tile(context, this.pad.pixels, 0, SIDE, {x: 0, y: 0, width, height}, shades("--blue"));
    if (this.keyboard) drawCursor(context, this.cursor, width / SIDE, this.erase);
  }

  place(event) {
    const box = this.surface.canvas.getBoundingClientRect();
    return {x: ((event.clientX - box.left) / box.width) * SIDE, y: ((event.clientY - box.top) / box.height) * SIDE};
  }

  line(from, to) {
    this.pad.line(from, to, this.erase);
    this.dirty();
    this.actions.changed();
  }

  listenPointer(canvas) {
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.keyboard = false;
      this.pad.keep();
      this.last = this.place(event);
      this.line(this.last, this.last);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.last) return;
      // a fast hand makes several points a frame
      const path = event.getCoalescedEvents?.() ?? [];
      for (const one of path.length ? path : [event]) {
        const next = this.place(one);
        this.line(this.last, next);
        this.last = next;
      }
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { this.last = null; });
  }

  listenKeys(canvas) {
    const stop = (event) => {
      this.keyboard = event.type === "focus" && canvas.matches(":focus-visible");
      this.space = false;
      this.dirty();
    };
    canvas.addEventListener("keydown", (event) => {
      if (!this.key(event)) return;
      event.preventDefault();
      this.keyboard = true;
      this.dirty();
    });
    canvas.addEventListener("keyup", (event) => { if (event.key === " ") this.space = false; });
    canvas.addEventListener("focus", stop);
    canvas.addEventListener("blur", stop);
  }

  /** True if the key was one of the pad's. */
  key(event) {
    if (event.key in MOVES) this.move(MOVES[event.key]);
    else if (event.key === " ") this.press(event);
    else if (event.key === "Delete" || event.key === "Backspace") this.actions.clear();
    else if (isUndo(event)) this.actions.undo();
    else return false;
    return true;
  }

  press({repeat}) {
    if (repeat) return;
    this.space = true;
    this.pad.keep();
    this.line({...this.cursor}, {...this.cursor});
  }

  move([dx, dy]) {
    const from = this.cursor;
    const within = (value) => Math.min(SIDE - 0.5, Math.max(0.5, value));
    this.cursor = {x: within(from.x + dx), y: within(from.y + dy)};
    if (this.space) this.line(from, this.cursor);
  }
}
