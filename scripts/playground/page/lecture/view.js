/**
 * The tab "Lecture": ten steps, one screen each. The address has the step and what was chosen in it: #lecture&step=8.
 * Next, previous, the numbers above and the arrow keys lead through them. Each step's net trains by itself for the same
 * number of pictures, and then pauses.
 */

import {button, make, same} from "../controls.js";
import {Wire} from "../wire.js";
import {createScreen} from "./screen.js";
import {epochsOf, steps} from "./steps.js";

// What has a use for arrow keys of its own.
const USES_ARROWS = "input, select, textarea, canvas, [role=tab], [role=slider], [role=radio], [role=menuitem], "
  + "[tabindex='0']";

function navigation(parent, go) {
  const knobs = steps.map(({name}, i) => {
    const figure = make("span", {className: "lecture-number", textContent: String(i + 1)});
    const title = make("span", {className: "lecture-name", textContent: name});
    const onclick = () => go(i + 1);
    return make("button", {type: "button", className: "lecture-step", title: name, onclick}, figure, title);
  });
  const back = button("‹ Previous", "The step before (arrow left)", () => go(-1, true), {className: "lecture-back"});
  const next = button("Next ›", "The step after (arrow right)", () => go(1, true), {className: "lecture-next primary"});
  const list = make("ol", {className: "lecture-steps"}, ...knobs.map((knob) => make("li", {}, knob)));
  parent.append(make("nav", {className: "lecture-nav", "aria-label": "Steps of the lecture"}, back, list, next));
  return (number) => {
    knobs.forEach((knob, i) => {
      if (i + 1 === number) knob.setAttribute("aria-current", "step");
      else knob.removeAttribute("aria-current");
    });
    back.disabled = number === 1;
    next.disabled = number === steps.length;
  };
}

/** The step and the value of its control that the address asks for. */
function asked(pairs) {
  const number = Math.min(steps.length, Math.max(1, Math.round(Number(pairs.step)) || 1));
  const {setting, values} = steps[number - 1].control;
  const value = setting && values.includes(pairs[setting]) ? pairs[setting] : undefined;
  return {number, value};
}

export function create(wire, parent, page) {
  const root = make("div", {className: "lecture"});
  parent.append(root);
  let at = {number: 0, value: undefined};
  let screen = null;
  let opened = 0; // the step whose room was opened last
  let awaited = "schema"; // what the stream brings before it shows the room that was asked for: "schema", "state", null
  let passed = false; // has it been paused at its last epoch?
  const mark = navigation(root, (number, relative) => go(relative ? at.number + number : number));

  const step = () => steps[at.number - 1];
  const chosen = () => (at.value === undefined ? {} : {[step().control.setting]: at.value});

  function render(next) {
    at = next;
    awaited = "schema";
    passed = false;
    screen?.destroy();
    screen = createScreen(root, step(), {number: at.number, count: steps.length, wire, page, value: at.value, change});
    if (page.schema()) screen.schema(page.schema());
    mark(at.number);
  }

  function remember() {
    page.keep({step: at.number, ...chosen()});
  }

  function go(number) {
    if (number < 1 || number > steps.length || number === at.number) return;
    render({number, value: undefined});
    remember();
    page.speak(`Step ${number} of ${steps.length}: ${step().name}`);
    open().catch(page.failed);
  }

  async function open() {
    const {number} = at;
    const fresh = opened !== 0 && opened !== number;
    const settings = {...step().settings, ...chosen()};
    opened = number;
    awaited = "schema";
    await wire.command("open", {slot: page.slot, room: "autoencoder", settings, fresh});
    if (fresh) await wire.command("run");
  }

  /** Another value of the control: the net starts anew. */
  async function change(value) {
    const before = at.value;
    at.value = value;
    awaited ??= "state";
    try {
      await page.set({[step().control.setting]: value});
    } catch (error) {
      at.value = before;
      throw error;
    }
    remember();
    await wire.command("run");
  }

  /** Is this the state of the room that was asked for, and not of the one before? */
  function fits({settings}) {
    const wanted = {...step().settings, ...chosen()};
    const lines = page.schema() ?? [];
    return lines.every(({name, default: usual}) => same(settings[name], wanted[name] ?? usual));
  }

  /** A net that comes with the page begins to train by itself; each rests when it has seen enough. */
  function lead({epoch, batch, running, settings}, first) {
    const enough = epoch >= epochsOf(settings);
    if (first && !running && epoch === 0 && !batch) wire.command("run").catch(page.failed);
    if (!enough) passed = false;
    if (!enough || passed) return;
    passed = true;
    if (running) wire.command("pause").catch(page.failed);
  }

  function state(data) {
    if (awaited === "schema" || (awaited && !fits(data))) return;
    const first = awaited !== null;
    awaited = null;
    lead(data, first);
    screen.state(data);
  }

  const events = {};
  for (const name of Wire.EVENTS) events[name] = (data) => { if (!awaited) screen?.take(name, data); };
  events.schema = (data) => {
    if (awaited) awaited = "state";
    screen?.schema(data.settings);
  };
  events.state = state;

  function onKey(event) {
    const move = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    const combined = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (!move || parent.hidden || event.defaultPrevented || combined) return;
    if (event.target instanceof Element && event.target.closest(USES_ARROWS)) return;
    event.preventDefault();
    go(at.number + move);
  }
  document.addEventListener("keydown", onKey);

  return {
    events,
    shown() {
      const wanted = asked(page.address());
      if (wanted.number !== at.number || wanted.value !== at.value) render(wanted);
      remember();
    },
    open,
  };
}
