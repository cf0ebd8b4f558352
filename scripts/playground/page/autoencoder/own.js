// The panel "own": a person's pictures, as what the net trains on or as a query.

import {button, make} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {tile} from "../draw/images.js";
import {shades} from "../draw/palette.js";
import {panel} from "../panel.js";
import {base64Of} from "../wire.js";
import {ask, dropZone, picturesAmong} from "./drop.js";
import {SIDE} from "./pad.js";
import {failure} from "./parts.js";
import {pixelsOf} from "./scale.js";

const MOST = 1500; // what one command can carry
const SHOWN = 40;

/** A picture as a button that asks the net about it. */
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

export function create(wire, parent, page) {
  const failed = failure(page);
  const section = panel(parent, {
    name: "own", title: "Your own pictures", className: "ae-own",
    note: "PNG or JPEG files, scaled to 28 x 28 grey pixels. They stay on this computer.",
  });
  let pictures = []; // {pixels, name, remove}
  const list = make("div", {className: "own-pictures"});
  const words = make("p", {className: "own-words", role: "status", textContent: "No picture yet."});
  const input = make("input", {
    type: "file", accept: "image/png,image/jpeg", multiple: true, className: "own-input", id: "own-files",
    onchange: () => take([...input.files]),
  });
  const choose = make("label", {className: "own-zone", htmlFor: "own-files"},
    make("b", {textContent: "Choose pictures"}), make("span", {textContent: "or drop them here"}), input);
  const train = button("Train on them", "Starts the net anew on these pictures", send, {className: "primary"});
  const forget = button("Forget them", "Empties the list and goes back to the digits", clear, {className: "quiet"});
  section.body.append(choose, words, list, make("div", {className: "own-tools"}, train, forget));
  dropZone(choose, take);
  show();

  function show() {
    const n = pictures.length;
    if (n) words.textContent = `${n} ${n === 1 ? "picture" : "pictures"}. Choose one to see what the net makes of it.`;
    train.disabled = forget.disabled = n === 0;
  }

  async function take(files) {
    const chosen = picturesAmong(files).slice(0, MOST - pictures.length);
    const refused = files.length - chosen.length;
    try {
      for (const file of chosen) {
        const pixels = await pixelsOf(file);
        const look = () => ask(wire, pixels).catch(failed);
        const remove = pictures.length < SHOWN ? thumbnail(list, pixels, file.name, look) : () => {};
        pictures.push({pixels, remove});
      }
      if (refused) {
        throw new Error(`${refused} of the files were left out: PNG or JPEG pictures are taken, ${MOST} at most.`);
      }
    } catch (error) {
      failed(error);
    }
    input.value = "";
    show();
  }

  async function send() {
    const bytes = new Uint8Array(pictures.length * SIDE * SIDE);
    pictures.forEach(({pixels}, i) => bytes.set(pixels, i * SIDE * SIDE));
    try {
      await wire.command("own", {images: base64Of(bytes), n: pictures.length});
      await wire.command("run");
      words.textContent = `The net trains on your ${pictures.length} pictures.`;
    } catch (error) {
      failed(error);
    }
  }

  function clear() {
    pictures.forEach(({remove}) => remove());
    pictures = [];
    words.textContent = "No picture yet.";
    show();
    if (page?.state?.()?.settings.data === "own") wire.command("set", {settings: {data: "set"}}).catch(failed);
  }

  return {
    element: section.element,
    events: {},
    destroy() {
      pictures.forEach(({remove}) => remove());
      section.destroy();
    },
  };
}
