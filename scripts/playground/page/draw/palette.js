/**
 * Colours. They stand in style.css as variables, for light and for dark; here they are read.
 *
 *   color("--blue")          "rgb(8, 119, 189)" as it is now;  rgb("--blue") the three numbers
 *   diverging(dim)           256 colours: 0 orange (-1), 127 paper, 255 blue (+1), each a 32-bit pixel; dim < 1: paler
 *   shades("--blue")         256 colours: 0 paper, 255 the colour (pictures; "--ink" is the neutral one)
 *   shadesFrom(zero, name)   the same from another paper
 *   pixel(r, g, b)           one such colour
 *   classColor(i)            the colour of class i of three: 0 orange, 1 blue, 2 plum (another lightness for each)
 *   labelColor(i)            ten colours for digits on a map
 */

import {onTheme} from "../theme.js";

let probe = null;
let known = new Map();
let tables = new Map();

onTheme(() => {
  known = new Map();
  tables = new Map();
});

export function color(name) {
  if (known.has(name)) return known.get(name);
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  known.set(name, found);
  return found;
}

export const rgb = (name) => color(name).match(/[\d.]+/g).slice(0, 3).map(Number);

export const pixel = (r, g, b) => ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;

const between = (a, b, t) => a.map((value, i) => value + (b[i] - value) * t);

function table(key, build) {
  if (!tables.has(key)) tables.set(key, Uint32Array.from({length: 256}, (_, i) => pixel(...build(i))));
  return tables.get(key);
}

export function diverging(dim = 1) {
  return table(`diverging ${dim}`, (i) => {
    const t = (dim * (i - 127.5)) / 127.5;
    return between(rgb("--map-zero"), rgb(t < 0 ? "--map-orange" : "--map-blue"), Math.abs(t));
  });
}

export function shadesFrom(zero, name) {
  return table(`${zero} ${name}`, (i) => between(rgb(zero), rgb(name), i / 255));
}

export const shades = (name = "--ink") => shadesFrom("--picture-zero", name);

const CLASSES = ["--orange", "--blue", "--plum"];
const LABELS = Array.from({length: 10}, (_, i) => `--label-${i}`);

export const className = (i) => CLASSES[i];
export const classColor = (i) => color(CLASSES[i] ?? "--grey");
export const labelColor = (i) => color(LABELS[i] ?? "--grey");
