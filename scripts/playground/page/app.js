/**
 * The page: its tabs, their rooms on the host, and the address. transport.js, export.js and messages.js are the bar's.
 *
 * A tab is a module ./NAME/view.js, loaded when it is first shown. It exports
 *   create(wire, parent, page) -> {events: {name: function(data)}, shown(), reopen(), message(words)}
 *   room     "points" or "autoencoder": app.js opens the room NAME with the address's settings. Without it the view
 *            opens its own rooms (slot: NAME) in open(), each time it comes to the front or a session has begun.
 *   lists    names of settings that are lists (a list of one needs no comma in the address)
 * events get what the wire brings while the tab is shown (also schema, state, epoch, failure). shown() is called each
 * time the tab comes to the front, reopen() when a session has begun, message(words | null) with
 * what the room has to say (else the foot of the page shows it). All but events are optional.
 *
 * page, for the views:
 *   page.slot               the tab's name
 *   page.set(changes)       command "set"; rejects with words
 *   page.option(name, usual), page.setOption(name, value, usual)   what is seen, not trained: view.name in the address
 *   page.extra(name, value) a set-up for the address that is no setting (null: takes it away); page.given(name): reads
 *   page.address(), page.keep(settings)   for a tab without room: what the address has instead of the room's settings
 *   page.say(words)         a message at the foot of the page;  page.speak(words)  for screen readers only
 *   page.failed(error)      the same for an Error: use as .catch(page.failed)
 *   page.state(), page.schema()   what came last
 */

import * as address from "./address.js";
import {make, same} from "./controls.js";
import {bindExport} from "./export.js";
import {bindMessages, failed, say, showStatus, speak} from "./messages.js";
import {onWatch, watched} from "./panel.js";
import {toggle} from "./theme.js";
import {bindTransport, hasFailed, showEpoch, showFailure, showState} from "./transport.js";
import {Wire} from "./wire.js";

const TABS = ["points", "autoencoder", "lecture"];
const FIRST = "autoencoder";
const at = (id) => document.getElementById(id);

const wire = new Wire();
const tabs = new Map(TABS.map((name) => [name, {
  name, view: null, module: null, settings: {}, options: {}, state: null, schema: null, element: at(`view-${name}`),
}]));
let current = null;
let inFront = null; // the tab whose room is open on the host: only its panels can be asked for
let slotShown = null; // the slot whose events come now
let ready = false;

window.moonglass = {wire, get last() { return wire.last; }, get tab() { return current?.name; }};

/** The room's message: the view shows it, or else the foot of the page, once. */
function told(tab, words) {
  if (tab.words === words) return;
  tab.words = words;
  if (tab.view?.message) tab.view.message(words);
  else if (words) say(words);
}

/* The address */

function remember() {
  if (!current) return;
  const {name, settings, options} = current;
  address.write({tab: name, settings, options});
}

function keepSettings(tab) {
  if (!tab.state || !tab.schema || !tab.module?.room || same(tab.state.settings, tab.kept)) return;
  tab.kept = tab.state.settings;
  const extras = Object.fromEntries(Object.entries(tab.settings).filter(([name]) => name.startsWith("own.")));
  tab.settings = {...address.different(tab.state.settings ?? {}, tab.schema), ...extras};
  remember();
}

/** All settings that the address means: what it does not name is as usual. A list may have one element. */
function wanted(tab) {
  const found = {};
  for (const {name, default: usual} of tab.schema ?? []) if (usual !== undefined && usual !== null) found[name] = usual;
  for (const [name, value] of Object.entries(tab.settings)) {
    if (name.startsWith("own.")) continue;
    found[name] = tab.module?.lists?.includes(name) && !Array.isArray(value) ? [value] : value;
  }
  return found;
}

/* Tabs */

function pageFor(tab) {
  return {
    slot: tab.name,
    set: (changes) => wire.command("set", {settings: changes}),
    option: (name, usual) => tab.options[name] ?? usual,
    setOption(name, value, usual) {
      if (value === usual) delete tab.options[name];
      else tab.options[name] = value;
      if (tab === current) remember();
    },
    given: (name) => tab.settings[`own.${name}`],
    extra(name, value) {
      if (value === null) delete tab.settings[`own.${name}`];
      else tab.settings[`own.${name}`] = value;
      if (tab === current) remember();
    },
    address: () => tab.settings,
    keep(settings) {
      tab.settings = settings;
      if (tab === current) remember();
    },
    state: () => tab.state,
    schema: () => tab.schema,
    say, speak, failed,
  };
}

async function load(tab) {
  if (tab.view) return;
  tab.loading ??= (async () => {
    tab.element.replaceChildren(make("p", {className: "message", textContent: "Loading …"}));
    try {
      tab.module = await import(`./${tab.name}/view.js`);
      tab.element.replaceChildren();
      tab.view = tab.module.create(wire, tab.element, pageFor(tab));
    } catch (error) {
      console.error(error);
      tab.element.replaceChildren(make("p", {
        className: "message", role: "alert",
        textContent: `The tab "${tab.name}" could not be loaded (${error.message}). Reload the page to try again.`,
      }));
    }
  })();
  await tab.loading;
}

/** Opens the tab's room on the host, or comes back to it. Refused settings are named, the usual ones taken. */
async function openRoom(tab) {
  if (!ready || tab !== current || !tab.view) return;
  if (tab.module.room) await openWanted(tab);
  else await tab.view.open?.();
  inFront = tab;
  watch();
}

async function openWanted(tab) {
  const settings = wanted(tab);
  try {
    await wire.command("open", {slot: tab.name, room: tab.module.room, settings});
  } catch (error) {
    if (error.status !== 400) throw error;
    say(`The address could not be followed: ${error.message} The usual settings are shown.`);
    tab.settings = {};
    await wire.command("open", {slot: tab.name, room: tab.module.room, settings: {}});
  }
}

async function show(name) {
  const tab = tabs.get(name) ?? tabs.get(FIRST);
  if (tab === current) return;
  current = tab;
  inFront = null;
  for (const other of tabs.values()) {
    const chosen = other === tab;
    const knob = at(`tab-${other.name}`);
    other.element.hidden = !chosen;
    knob.setAttribute("aria-selected", String(chosen));
    knob.tabIndex = chosen ? 0 : -1;
  }
  document.body.dataset.tab = tab.name;
  document.title = `${at(`tab-${tab.name}`).textContent} – Moonglass playground`;
  showState(tab.state);
  await load(tab);
  if (tab !== current || !tab.view) return;
  tab.view.shown?.();
  remember();
  await openRoom(tab).catch(failed);
}

function follow({tab: name, settings, options}) {
  const tab = tabs.get(name) ?? tabs.get(FIRST);
  tab.settings = settings;
  tab.options = options;
  if (tab !== current) return show(tab.name);
  tab.view?.shown?.();
  return openRoom(tab).catch(failed);
}

function bindTabs() {
  for (const name of TABS) {
    at(`tab-${name}`).addEventListener("click", () => show(name));
    at(`tab-${name}`).addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      const next = TABS[(TABS.indexOf(name) + step + TABS.length) % TABS.length];
      at(`tab-${next}`).focus();
      show(next);
    });
  }
}

/* What is visible is asked for */

let asked = null;
let watchTimer = 0;

function watch() {
  clearTimeout(watchTimer);
  watchTimer = setTimeout(() => {
    if (!ready || inFront !== current) return;
    const panels = document.hidden ? [] : watched();
    const key = JSON.stringify(panels);
    if (key === asked) return;
    asked = key;
    wire.command("watch", {panels}).catch((error) => {
      asked = null;
      // a panel of the tab before: the next look is right; whatever else failed, a new connection looks again
      if (error.status === 400) setTimeout(watch, 300);
    });
  }, 40);
}

/* The wire */

/** What still comes from the room of the tab before is not for this one. */
function deliver(name, data) {
  if (slotShown === current?.name) current.view?.events?.[name]?.(data);
}

function bindWire() {
  const mine = (data) => {
    if (data.slot) slotShown = data.slot;
    return tabs.get(slotShown) ?? current;
  };
  wire.on("schema", (data) => {
    const tab = mine(data);
    if (tab) Object.assign(tab, {schema: data.settings, kept: null});
  });
  wire.on("state", (data) => {
    const tab = mine(data);
    if (!tab) return;
    tab.state = data;
    if (tab !== current) return;
    showState(data);
    keepSettings(tab);
    // the words of a failure stand at the foot of the page already
    told(tab, hasFailed() ? null : data.message ?? null);
  });
  wire.on("epoch", (data) => {
    if (!current?.state || slotShown !== current.name) return;
    current.state.epoch = data.epoch;
    showEpoch(data);
  });
  wire.on("failure", (data) => {
    if (!slotShown || slotShown === current?.name) showFailure(data.message);
  });
  for (const name of Wire.EVENTS) wire.on(name, (data) => deliver(name, data));
  wire.on("status", showStatus);
  wire.on("session", ({fresh}) => {
    asked = null;
    if (!ready) return;
    if (fresh) say("A new session has begun: the net starts from its seed.");
    current.view?.reopen?.();
    inFront = null;
    openRoom(current).catch(failed);
  });
}

async function start() {
  bindTabs();
  bindTransport(wire, () => current?.state?.running);
  bindExport(wire);
  bindMessages(() => wire.again());
  bindWire();
  at("theme").addEventListener("click", toggle);
  at("skip").addEventListener("click", (event) => {
    event.preventDefault();
    at("main").focus();
  });
  document.addEventListener("visibilitychange", watch);
  onWatch(watch);
  const from = address.read();
  address.changed(follow);
  const opened = wire.open();
  const shown = follow(from);
  await opened;
  ready = true;
  await shown;
  await openRoom(current).catch(failed);
}

start();
