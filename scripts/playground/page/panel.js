/**
 * A panel: a <section class="panel"> with a title of three words, a grey sentence and a body.
 *
 *   const p = panel(parent, {title: "Test digits", note: "Originals over what the net makes of them.",
 *                            watch: ["digits"], name: "digits"});
 *   p.body.append(...);  p.note("another sentence");  p.tools.append(button);   // tools: at the title's right
 *
 * watch: the events that this panel draws. Only those of panels on the screen are asked of the host; app.js does that.
 * hidden panels (element.hidden = true) are not asked for either. p.destroy() takes it away.
 * onNarrow(f) calls f(narrow) now and whenever the page becomes as narrow as a phone's, or wider.
 */

import {make, write} from "./controls.js";

const visible = new Map();
const listeners = new Set();

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const record = visible.get(entry.target);
    if (record) record.seen = entry.isIntersecting;
  }
  tell();
}, {rootMargin: "80px"});

function tell() {
  for (const listener of [...listeners]) listener();
}

/** The events that the panels on the screen draw, sorted. */
export function watched() {
  const names = new Set();
  for (const [element, record] of visible) {
    if (record.seen && element.isConnected) record.watch.forEach((name) => names.add(name));
  }
  return [...names].sort();
}

export function onWatch(listener) {
  listeners.add(listener);
}

export function onNarrow(listener) {
  const narrow = matchMedia("(max-width: 720px)");
  listener(narrow.matches);
  narrow.addEventListener("change", () => listener(narrow.matches));
}

let count = 0;

/** Another element whose sight asks for events, like a table of what they say. Returns what ends it. */
export function watchWith(element, watch) {
  visible.set(element, {seen: false, watch});
  observer.observe(element);
  return () => {
    observer.unobserve(element);
    visible.delete(element);
  };
}

export function panel(parent, {title, note = "", watch = [], name = "", className = ""}) {
  const id = `panel-${name || ++count}`;
  const heading = make("h2", {className: "panel-title", id, textContent: title});
  const tools = make("div", {className: "panel-tools"});
  const sentence = make("p", {className: "panel-note", textContent: note});
  const body = make("div", {className: "panel-body"});
  const element = make("section", {className: `panel ${className}`},
    make("div", {className: "panel-head"}, heading, tools), sentence, body);
  element.setAttribute("aria-labelledby", id);
  if (name) element.dataset.panel = name;
  parent.append(element);
  const unwatch = watchWith(element, watch);
  return {
    element, body, tools, heading,
    title: (text) => { write(heading, text); },
    note: (text) => { write(sentence, text); },
    watch(names) { visible.get(element).watch = names; tell(); },
    destroy() { unwatch(); element.remove(); tell(); },
  };
}
