// The panel "draw": a pad to draw a digit on, what the net sees of it (with noise) and what it makes of it.

import {button, control, figure, make} from "../controls.js";
import {later} from "../draw/frames.js";
import {panel} from "../panel.js";
import {takeDrops} from "./drop.js";
import {latest} from "./latest.js";
import {Pad, centred} from "./pad.js";
import {picture} from "./parts.js";
import {Pencil} from "./pencil.js";
import {thing} from "./words.js";

const NOISE = {
  name: "draw_noise", label: "Add noise", kind: "number", low: 0, high: 1, step: 0.05, default: 0,
  format: (value) => value.toFixed(2), help: "Does the net take it away? A denoising net has learnt to.",
};

/** What the net sees and what it makes of it, with the slider of the noise under them. */
class Results {
  constructor(parent, wire, failed) {
    this.element = make("div", {className: "pad-results"});
    this.seen = this.side("what the net sees", {label: "The drawing as the net sees it, with noise", color: "--ink"});
    this.made = this.side("what it makes of it", {label: "What the net makes of the drawing", color: "--orange"});
    this.send = latest((level) => wire.command("draw_noise", {level}), failed);
    this.noise = control(NOISE, (name, level) => this.send(level), {as: "slider", className: "pad-noise"});
    this.element.append(this.noise.element);
    this.error = figure(this.element, "squared error a pixel");
    parent.append(this.element);
  }

  side(caption, options) {
    const part = make("figure", {className: "ae-figure pad-result"});
    const shown = picture(part, options);
    part.append(make("figcaption", {textContent: caption}));
    this.element.append(part);
    return shown;
  }

  set({pixels, noisy, reconstruction, error, noise}) {
    this.seen.set((noisy ?? pixels)?.data ?? null);
    this.made.set(reconstruction?.data ?? null);
    this.error.set(error);
    if (noise !== undefined && !this.send.busy) this.noise.set(noise);
  }

  destroy() {
    this.seen.destroy();
    this.made.destroy();
  }
}

class DrawPanel {
  constructor(wire, parent, page) {
    const {failed} = page;
    this.pad = new Pad();
    this.touched = false; // a person drew here: what comes back from the host is older
    this.shown = false; // the host looks at the drawing
    this.section = panel(parent, {
      name: "draw", title: "Draw a digit", watch: ["drawing"], className: "ae-draw",
      note: "With the mouse, a finger or the keyboard. The net draws it again.",
    });
    this.send = latest((pixels) => wire.command("draw", pixels ? {pixels} : {}), failed);
    const side = make("div", {className: "pad-side"});
    this.section.body.append(side);
    this.buildPad(side);
    this.buildTools(side);
    this.results = new Results(this.section.body, wire, failed);
    this.brought = (event) => this.bring(event.detail);
    document.addEventListener("moonglass-picture", this.brought);
    takeDrops(this.section.body, wire, failed);
    this.show();
  }

  buildPad(side) {
    const frame = make("div", {className: "pad-frame"});
    this.empty = make("p", {className: "pad-empty", textContent: "draw here", "aria-hidden": "true"});
    side.append(frame);
    this.pencil = new Pencil(frame, this.pad, {
      changed: () => this.changed(), clear: () => this.clear(), undo: () => this.undo(),
    });
    frame.append(this.empty);
  }

  buildTools(side) {
    const quiet = {className: "quiet"};
    this.pen = button("Pen", "Draws", () => this.pick(false));
    this.eraser = button("Eraser", "Takes ink away", () => this.pick(true));
    this.undoing = button("Undo", "Takes the last stroke back", () => this.undo(), quiet);
    this.clearing = button("Clear", "Empties the pad", () => this.clear(), quiet);
    this.centring = button("Centre", "Makes the drawing as large as MNIST's digits and puts it in the middle",
      () => this.centre(), quiet);
    this.again = button("Use my drawing", "Looks at the drawing again instead of the chosen picture",
      () => this.changed());
    side.append(make("div", {className: "pad-tools", role: "group", "aria-label": "Drawing tools"},
      make("span", {className: "pad-pens"}, this.pen, this.eraser), this.undoing, this.clearing, this.centring));
    this.section.tools.append(this.again);
    this.pick(false);
  }

  pick(erase) {
    this.pencil.erase = erase;
    this.pen.setAttribute("aria-pressed", String(!erase));
    this.eraser.setAttribute("aria-pressed", String(erase));
  }

  undo() {
    if (this.pad.undo()) this.changed();
  }

  clear() {
    this.pad.clear();
    this.pick(false);
    this.changed();
  }

  centre() {
    if (this.pad.empty) return;
    this.pad.put(centred(this.pad.pixels));
    this.changed();
  }

  /** The pad's picture goes to the host. */
  changed() {
    this.touched = true;
    later(this.redraw ??= () => this.show());
    this.send(this.pad.empty ? null : [...this.pad.pixels]);
  }

  show() {
    const {empty} = this.pad;
    this.empty.hidden = !empty;
    this.undoing.disabled = this.pad.past.length === 0;
    this.clearing.disabled = this.centring.disabled = empty;
    this.again.disabled = empty || this.shown;
    this.pencil.dirty();
  }

  /** A picture that came as a query lies on the pad, and is seen there. The pad of another tab leaves it alone. */
  bring(pixels) {
    if (!this.section.element.offsetParent) return;
    this.touched = true;
    this.pad.put(pixels);
    this.show();
    this.section.element.scrollIntoView({block: "nearest"}); // it may have come from further down
  }

  take(data) {
    this.shown = Boolean(data.pixels);
    this.results.set(data);
    // after a reload the host still has the drawing
    if (!this.touched && this.shown && this.pad.empty) this.pad.pixels = Uint8Array.from(data.pixels.data);
    this.show();
  }

  destroy() {
    document.removeEventListener("moonglass-picture", this.brought);
    for (const one of [this.pencil, this.results, this.section]) one.destroy();
  }
}

export function create(wire, parent, page) {
  const one = new DrawPanel(wire, parent, page);
  return {
    element: one.section.element,
    events: {drawing: (data) => one.take(data), state: () => one.section.title(`Draw a ${thing(wire)}`)},
    destroy: () => one.destroy(),
  };
}
