/**
 * What the page tells people: a message at the foot, words for screen readers, a server that is gone.
 *
 *   say(words, stays)    at the foot, for 12 seconds or until it is closed;  hush() takes it away
 *   speak(words)         only for screen readers
 *   failed(error)        says an Error: for .catch(failed)
 *   showStatus(status)   what the wire's event "status" brings
 *   bindMessages(again)  again(): a person wants to go on in this tab
 */

const at = (id) => document.getElementById(id);
const LINK_WORDS = {live: "connected", gone: "no server", starting: "connecting"};
const STAYS = 12000;
const HICCUP = 900;
let toastTimer = 0;
let goneTimer = 0;

export function hush() {
  at("toast").hidden = true;
}

export function say(words, stays = false) {
  clearTimeout(toastTimer);
  at("toast-words").textContent = words;
  at("toast").hidden = false;
  if (!stays) toastTimer = setTimeout(hush, STAYS);
}

export function speak(words) {
  at("spoken").textContent = words;
}

export const failed = (error) => say(error.message);

export function showStatus({status, reason, words}) {
  at("link").dataset.status = status;
  at("link-word").textContent = LINK_WORDS[status];
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
  }, reason === "gone" ? HICCUP : 0);
}

export function bindMessages(again) {
  at("toast-close").addEventListener("click", hush);
  at("again").addEventListener("click", again);
}
