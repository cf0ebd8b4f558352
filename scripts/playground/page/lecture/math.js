/**
 * Formulas as data, and as MathML, which the browser lays out by itself.
 *
 *   row(hat("x"), "=", of("g", "z"))      a formula; strings are letters, numbers or signs
 *   render(formula, words)                a <math> element; the words are what a screen reader says
 */

const NAMESPACE = "http://www.w3.org/1998/Math/MathML";
const NUMBER = /^[\d.,]+$/;
const LETTERS = /^[\p{L}′]+$/u;

// Attributes that an element always has.
const ALWAYS = {mtable: {displaystyle: "true", rowspacing: "0.6em"}};
const SIGNS = {"(": {stretchy: "false"}, ")": {stretchy: "false"}, "|": {stretchy: "false", lspace: "0", rspace: "0"}};

// A formula is [tag, part, ...]; a part is a formula or a string.
export const row = (...parts) => ["mrow", ...parts];
export const sub = (base, index) => ["msub", base, index];
export const sup = (base, power) => ["msup", base, power];
export const frac = (over, under) => ["mfrac", over, under];
export const hat = (base) => ["mover", base, "^"];
export const of = (name, ...parts) => row(name, "(", ...parts, ")");
export const words = (text) => ["mtext", text];
export const log = (part) => row("log", ["mspace", "0.17em"], part);
export const comma = row(",", ["mspace", "1em"]);
export const sum = (from, to) => (to ? ["munderover", "∑", from, to] : ["munder", "∑", from]);
export const under = (base, below) => ["munder", base, below];
export const lines = (...all) => ["mtable", ...all.map((line) => ["mtr", ["mtd", line]])];

function element(tag, attributes, ...children) {
  const made = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function build(part) {
  if (Array.isArray(part)) {
    const [tag, ...parts] = part;
    if (tag === "mtext") return element(tag, {}, ...parts);
    if (tag === "mspace") return element(tag, {width: parts[0]});
    return element(tag, ALWAYS[tag] ?? {}, ...parts.map(build));
  }
  if (NUMBER.test(part)) return element("mn", {}, part);
  if (LETTERS.test(part)) return element("mi", {}, part);
  return element("mo", SIGNS[part] ?? {}, part);
}

export function render(formula, spoken) {
  return element("math", {display: "block", alttext: spoken, "aria-label": spoken}, build(formula));
}
