// The panel "own": a person's pictures, as what the net trains on or as a query. The lecture does not show it, so that
// it is never taken away.

import {button, make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {tile} from "../draw/images.js";
import {shades} from "../draw/palette.js";
import {panel} from "../panel.js";
import {base64Of} from "../wire.js";
import {ask, dropZone, picturesAmong} from "./drop.js";
import {SIDE} from "./pad.js";
import {pixelsOf} from "./scale.js";

const MOST = 1500; // what one command can carry
const SHOWN = 40;
const NONE = "No picture yet.";

/** The answer stands in the panel with the pad, which may be far above. */
function showPad() {
  const pad = document.querySelector("[data-panel='draw']");
  const top = pad?.getBoundingClientRect().top ?? 0;
  if (top < 0) pad.scrollIntoView({behavior: "smooth"});
}

/** A picture as a button that asks the net about it; what is returned takes it away. */
function thumbnail(parent, pixels, name, look) {
  const element = make("button", {
    type: "button", className: "own-picture", title: `Shows the code and the reconstruction of ${name}`,
    "aria-label": `Look at ${name}`, onclick: look,
  });
  const shown = surface(element, {
    className: "picture",
    draw: (context, width, height) => tile(context, pixels, 0, SIDE, {x: 0, y: 0, width, height}, shades("--blue")),
  });
  parent.append(element);
  return () => {
    shown.destroy();
    element.remove();
  };
}

/** The field on which files are dropped, or which is clicked to choose some. */
function fileZone(parent, take) {
  const input = make("input", {
    type: "file", accept: "image/png,image/jpeg", multiple: true, className: "own-input", id: "own-files",
    onchange() {
      take([...input.files]);
      input.value = "";
    },
  });
  const zone = make("label", {className: "own-zone", htmlFor: input.id},
    make("b", {textContent: "Choose pictures"}), make("span", {textContent: "or drop them here"}), input);
  dropZone(zone, take);
  parent.append(zone);
}

class OwnPanel {
  constructor(wire, parent, page) {
    this.wire = wire;
    this.failed = page.failed;
    this.pictures = []; // {pixels, remove}
    this.section = panel(parent, {
      name: "own", title: "Your own pictures", className: "ae-own",
      note: "PNG or JPEG files, scaled to 28 x 28 grey pixels. Only your session has them.",
    });
    fileZone(this.section.body, (files) => this.take(files).catch(this.failed).finally(() => this.show()));
    this.words = make("p", {className: "own-words", role: "status", textContent: NONE});
    this.list = make("div", {className: "own-pictures"});
    this.train = button("Train on them", "Starts the net anew on these pictures",
      () => this.send().catch(this.failed), {className: "primary"});
    this.forget = button("Forget them", "Empties the list and goes back to the pictures of the set", () => this.clear(),
      {className: "quiet"});
    this.section.body.append(this.words, this.list, make("div", {className: "own-tools"}, this.train, this.forget));
    this.show();
  }

  show() {
    const n = this.pictures.length;
    const counted = `${n} ${n === 1 ? "picture" : "pictures"}`;
    this.words.textContent = n ? `${counted}. Choose one to see above what the net makes of it.` : NONE;
    this.train.disabled = this.forget.disabled = n === 0;
  }

  async take(files) {
    const chosen = picturesAmong(files).slice(0, MOST - this.pictures.length);
    for (const file of chosen) this.add(await pixelsOf(file), file.name);
    const refused = files.length - chosen.length;
    if (refused) {
      throw new Error(`Expected PNG or JPEG pictures, ${MOST} at most. Left out: ${refused} of ${files.length} files.`);
    }
  }

  add(pixels, name) {
    const look = () => ask(this.wire, pixels).then(showPad).catch(this.failed);
    const remove = this.pictures.length < SHOWN ? thumbnail(this.list, pixels, name, look) : () => {};
    this.pictures.push({pixels, remove});
  }

  async send() {
    const bytes = new Uint8Array(this.pictures.length * SIDE * SIDE);
    this.pictures.forEach(({pixels}, i) => bytes.set(pixels, i * SIDE * SIDE));
    await this.wire.command("own", {images: base64Of(bytes), n: this.pictures.length});
    await this.wire.command("run");
  }

  clear() {
    this.empty();
    this.show();
    if (this.wire.last.state?.settings.data !== "own") return;
    this.wire.command("set", {settings: {data: "set"}}).catch(this.failed);
  }

  empty() {
    this.pictures.forEach(({remove}) => remove());
    this.pictures = [];
  }
}

export function create(wire, parent, page) {
  const one = new OwnPanel(wire, parent, page);
  return {element: one.section.element, events: {}};
}
