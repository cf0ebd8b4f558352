/**
 * Run, pause, step and reset, with the epoch and the pace.
 *
 *   bindTransport(wire, running)    running(): does the net of the shown tab train?
 *   showState(state | null)         what the event "state" brings, or that of the tab that comes to the front
 *   showEpoch(data)                 what the event "epoch" brings
 *   showFailure(words)              the training ended by a failure; it is over when the net trains or begins anew
 *   hasFailed()                     is one shown?
 */

import {number, writeSeldom} from "./controls.js";
import {failed, hush, say, speak} from "./messages.js";

const at = (id) => document.getElementById(id);
let spoken = "";
let trains = false;
let shown = "";

export function bindTransport(wire, running) {
  const command = (name) => wire.command(name).catch(failed);
  at("run").addEventListener("click", () => command(running() ? "pause" : "run"));
  at("step").addEventListener("click", () => command("step"));
  at("reset").addEventListener("click", () => command("reset"));
}

export function showFailure(words) {
  document.body.dataset.failed = "true";
  say(words, true);
}

function endFailure() {
  if (!document.body.dataset.failed) return;
  delete document.body.dataset.failed;
  hush();
}

/** Is a failure shown, that has not ended yet? */
export const hasFailed = () => Boolean(document.body.dataset.failed);

/** Screen readers hear when training begins and where it pauses, not each epoch. */
function tell(state) {
  const now = state ? `${trains ? "Running" : `Paused at epoch ${state.epoch}`}` : "";
  if (now !== spoken && (trains || spoken === "Running")) speak(now);
  spoken = now;
}

function showButtons(usable) {
  for (const id of ["run", "step", "reset"]) at(id).disabled = !usable;
  document.body.dataset.running = String(trains);
  at("run").setAttribute("aria-pressed", String(trains));
  at("run").title = trains ? "Pauses the training; the net stays as it is" : "Trains the net until you pause it";
  at("run-word").textContent = trains ? "Pause" : "Run";
}

export function showState(state) {
  const before = shown;
  trains = Boolean(state?.running);
  shown = `${Boolean(state)} ${trains}`;
  if (shown !== before) showButtons(Boolean(state)); // a state comes with each frame
  if (trains || !state?.message) endFailure();
  showEpoch({epoch: state?.epoch});
  if (!trains) number(at("pace"), null);
  tell(state);
}

export function showEpoch({epoch = 0, per_second: pace}) {
  const element = at("epoch");
  writeSeldom(element, () => String(epoch).padStart(6, "0").replace(/(\d)(?=(\d{3})+$)/g, "$1,"));
  element.dataset.value = String(epoch);
  if (trains && pace !== undefined) number(at("pace"), pace, pace >= 100 ? 0 : pace >= 10 ? 1 : 2);
}
