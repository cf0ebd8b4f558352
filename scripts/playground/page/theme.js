/**
 * Light or dark: the system's wish, until a person chooses.
 *
 *   toggle()        the other one, kept for the next visit
 *   onTheme(f)      calls f after each change (canvases draw anew)
 */

const KEY = "moonglass-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

const chosen = () => document.documentElement.dataset.theme;

const dark = () => (chosen() ? chosen() === "dark" : system.matches);

export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell() {
  for (const listener of [...listeners]) listener();
}

export function toggle() {
  const next = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // a browser that keeps nothing still changes its colours
  }
  tell();
}

function restore() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    return;
  }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
}

restore();
system.addEventListener("change", tell);
