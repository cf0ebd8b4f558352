/**
 * The state in the address: #points&problem=spiral&hidden=4,2&view.test=yes
 *
 *   read()                        {tab, settings: {problem: "spiral", hidden: [4, 2]}, options: {test: true}}
 *   write({tab, settings, options})   puts it there, without a new entry in the history
 *   changed(f)                    calls f with read() when a person changed the address
 *   different(settings, schema)   those settings that differ from the schema's defaults
 *
 * What has a comma is a list (one element: "4,", none: ","); "yes" and "no" are flags; digits are numbers.
 */

import {same} from "./controls.js";

const PLAIN = /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

function scalar(text) {
  if (PLAIN.test(text)) return Number(text);
  if (text === "yes") return true;
  if (text === "no") return false;
  return text;
}

function parse(text) {
  if (!text.includes(",")) return scalar(text);
  const parts = text.split(",");
  if (parts[parts.length - 1] === "") parts.pop();
  return parts.filter((part) => part !== "").map(scalar);
}

function format(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (!Array.isArray(value)) return String(value);
  return value.length > 1 ? value.join(",") : `${value.join("")},`;
}

const readable = (text) => encodeURIComponent(text).replace(/%2C/g, ",").replace(/%3B/g, ";").replace(/%20/g, "+");

export function read(hash = location.hash) {
  const [tab, ...pairs] = hash.replace(/^#/, "").split("&");
  const found = {tab, settings: {}, options: {}};
  for (const pair of pairs) {
    const cut = pair.indexOf("=");
    if (cut < 1) continue;
    let value;
    try {
      value = decodeURIComponent(pair.slice(cut + 1).replace(/\+/g, " "));
    } catch {
      continue;
    }
    const name = pair.slice(0, cut);
    if (name.startsWith("view.")) found.options[name.slice(5)] = parse(value);
    else found.settings[name] = parse(value);
  }
  return found;
}

export function write({tab, settings = {}, options = {}}) {
  const pairs = [tab];
  for (const [name, value] of Object.entries(settings)) pairs.push(`${name}=${readable(format(value))}`);
  for (const [name, value] of Object.entries(options)) pairs.push(`view.${name}=${readable(format(value))}`);
  const hash = `#${pairs.join("&")}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

export function changed(listener) {
  window.addEventListener("hashchange", () => listener(read()));
}

export function different(settings, schema) {
  const found = {};
  for (const {name, default: usual} of schema) {
    const value = settings[name];
    if (value !== undefined && value !== null && !same(value, usual)) found[name] = value;
  }
  return found;
}
