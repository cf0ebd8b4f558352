// A picture that is dropped somewhere is looked at as a drawing is: its code, its reconstruction.

import {pixelsOf} from "./scale.js";

/** Files of a drop or a choice that may be pictures. */
export const picturesAmong = (files) => [...files].filter((file) => file.type.startsWith("image/"));

/**
 * Lets an element take dropped files.
 * @param {HTMLElement} element
 * @param {function(File[])} take
 */
export function dropZone(element, take) {
  const over = (flag) => element.classList.toggle("drop-over", flag);
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  element.addEventListener("dragleave", () => over(false));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    take([...event.dataTransfer.files]);
  });
}

/** The pad and all who show the drawing hear of a picture that came as a query. */
export function ask(wire, pixels) {
  document.dispatchEvent(new CustomEvent("moonglass-picture", {detail: pixels}));
  return wire.command("draw", {pixels: [...pixels]});
}

/** What is dropped on the element is a query: the first picture of the files. */
export function takeDrops(element, wire, failed) {
  dropZone(element, async (files) => {
    try {
      if (!picturesAmong(files).length) throw new Error("No picture was dropped; drop a PNG or JPEG file.");
      await ask(wire, await pixelsOf(picturesAmong(files)[0]));
    } catch (error) {
      failed(error);
    }
  });
}
