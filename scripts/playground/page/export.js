/**
 * The menu "Export": the host makes the file, the browser saves it.
 *
 *   bindExport(wire)     window.moonglass.exported is the last file: {name, type, bytes}
 */

import {make} from "./controls.js";
import {failed, speak} from "./messages.js";
import {bytesOf} from "./wire.js";

const at = (id) => document.getElementById(id);
const KEPT = 10000;

function save({name, type, text, base64}) {
  const bytes = base64 === undefined ? text : bytesOf(base64);
  const link = make("a", {href: URL.createObjectURL(new Blob([bytes], {type})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
  window.moonglass.exported = {name, type, bytes};
  speak(`${name} was saved.`);
}

function openMenu(open) {
  at("export-menu").hidden = !open;
  at("export").setAttribute("aria-expanded", String(open));
  if (open) at("export-menu").querySelector("button").focus();
}

export function bindExport(wire) {
  const items = [...at("export-menu").querySelectorAll("button")];
  at("export").addEventListener("click", () => openMenu(at("export-menu").hidden));
  for (const item of items) {
    item.addEventListener("click", async () => {
      openMenu(false);
      at("export").focus();
      try {
        save(await wire.command("export", {what: item.dataset.what}));
      } catch (error) {
        failed(error);
      }
    });
  }
  at("export-menu").addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (event.key === "Escape") {
      openMenu(false);
      at("export").focus();
    } else if (step) {
      event.preventDefault();
      items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".menu")) openMenu(false);
  });
}
