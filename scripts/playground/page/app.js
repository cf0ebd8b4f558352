/**
 * The page: the top bar, the tabs, the address, export and messages.
 *
 * A tab is a module ./NAME/view.js, loaded when it is first shown. It exports
 *   create(wire, parent, page) -> {events: {name: function(data)}, shown(), resize(), destroy(), reopen()}
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
import {make, number} from "./controls.js";
import {onWatch, watched} from "./panel.js";
import {toggle} from "./theme.js";
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
let toastTimer = 0;

window.moonglass = {wire, get last() { return wire.last; }, get tab() { return current?.name; }};

/* Messages */

function hush() {
  at("toast").hidden = true;
}

function say(words, stays = false) {
  clearTimeout(toastTimer);
  at("toast-words").textContent = words;
  at("toast").hidden = false;
  if (!stays) toastTimer = setTimeout(hush, 12000);
}

/** The room's message: the view shows it, or else the foot of the page, once. */
function told(tab, words) {
  if (tab.words === words) return;
  tab.words = words;
  if (tab.view?.message) tab.view.message(words);
  else if (words) say(words);
}

function speak(words) {
  at("spoken").textContent = words;
}

const failed = (error) => say(error.message);

/* The address */

function remember() {
  if (!current) return;
  const {name, settings, options} = current;
  address.write({tab: name, settings, options});
}

function keepSettings(tab) {
  if (!tab.state || !tab.schema || !tab.module?.room) return;
  const extras = Object.fromEntries(Object.entries(tab.settings).filter(([name]) => name.startsWith("own.")));
  tab.settings = {...address.different(tab.state.settings ?? {}, tab.schema), ...extras};
  remember();
}

/** What the address says about settings: those of lists with one element are lists all the same. */
function wanted(tab) {
  const found = {};
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
  tab.view.resize?.();
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
    wire.latest("watch", "watch", {panels}).catch(() => {
      // a panel of the tab before: the next look is right
      asked = null;
      setTimeout(watch, 300);
    });
  }, 40);
}

/* Training */

const command = (name, args) => wire.command(name, args).catch(failed);

function bindTraining() {
  at("run").addEventListener("click", () => command(current?.state?.running ? "pause" : "run"));
  at("step").addEventListener("click", () => command("step"));
  at("reset").addEventListener("click", () => command("reset"));
}

let spokenState = "";

/** A failure is over when the net trains again or has begun anew. */
function endFailure() {
  if (!document.body.dataset.failed) return;
  delete document.body.dataset.failed;
  hush();
}

function showState(state) {
  for (const id of ["run", "step", "reset"]) at(id).disabled = !state;
  const running = Boolean(state?.running);
  if (running || state?.epoch === 0) endFailure();
  document.body.dataset.running = String(running);
  at("run").setAttribute("aria-pressed", String(running));
  at("run").title = running ? "Pauses the training; the net stays as it is" : "Trains the net until you pause it";
  at("run-word").textContent = running ? "Pause" : "Run";
  showEpoch(state?.epoch ?? 0);
  if (!running) number(at("pace"), null);
  const now = state ? `${running ? "Running" : `Paused at epoch ${state.epoch}`}` : "";
  if (now !== spokenState && (running || !spokenState.startsWith("Paused") || !state)) speak(now);
  spokenState = now;
}

function showEpoch(epoch) {
  const element = at("epoch");
  const text = String(epoch).padStart(6, "0").replace(/(\d)(?=(\d{3})+$)/g, "$1,");
  if (element.textContent !== text) element.textContent = text;
  element.dataset.value = String(epoch);
}

function showPace(perSecond) {
  if (!current?.state?.running) return;
  number(at("pace"), perSecond, perSecond >= 100 ? 0 : perSecond >= 10 ? 1 : 2);
}

/* Export */

function save({name, type, text, base64}) {
  const bytes = base64 === undefined ? text : Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const link = make("a", {href: URL.createObjectURL(new Blob([bytes], {type})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  window.moonglass.exported = {name, type, bytes};
  speak(`${name} was saved.`);
}

function openMenu(open) {
  at("export-menu").hidden = !open;
  at("export").setAttribute("aria-expanded", String(open));
  if (open) at("export-menu").querySelector("button").focus();
}

function bindExport() {
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

/* The wire */

let goneTimer = 0;

function showStatus({status, reason, words}) {
  const link = at("link");
  link.dataset.status = status;
  at("link-word").textContent = {live: "connected", gone: "no server", starting: "connecting"}[status];
  clearTimeout(goneTimer);
  if (status === "live") {
    at("gone").hidden = true;
    document.body.dataset.status = "live";
    return;
  }
  // a hiccup of the network is no message
  goneTimer = setTimeout(() => {
    document.body.dataset.status = status;
    at("gone-words").textContent = words;
    at("again").hidden = reason !== "idle" && reason !== "replaced";
    at("gone").hidden = false;
  }, reason === "gone" ? 900 : 0);
}

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
    if (tab) tab.schema = data.settings;
  });
  wire.on("state", (data) => {
    const tab = mine(data);
    if (!tab) return;
    tab.state = data;
    if (tab !== current) return;
    showState(data);
    keepSettings(tab);
    told(tab, data.message ?? null);
  });
  wire.on("epoch", (data) => {
    if (current?.state && data.epoch !== undefined) current.state.epoch = data.epoch;
    showEpoch(data.epoch ?? 0);
    showPace(data.per_second);
  });
  wire.on("failure", (data) => {
    document.body.dataset.failed = "true";
    say(data.message, true);
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
  bindTraining();
  bindExport();
  bindWire();
  at("theme").addEventListener("click", toggle);
  at("toast-close").addEventListener("click", hush);
  at("again").addEventListener("click", () => wire.again());
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
