/**
 * The small pictures of the data sets: a few points of each kind's shape, drawn here only to be recognised. The points
 * that the net learns come from the host.
 *
 *   drawSet(context, size, name)
 */

import {classColor, color, rgb} from "../draw/palette.js";

const HILLS = [[-4, 2.5, 1], [0, 2.5, -1], [4, 2.5, 1], [-4, -2.5, -1], [0, -2.5, 1], [4, -2.5, -1]];

/** Evenly scattered numbers: the same picture each time. */
const spread = (i, step) => (i * step) % 1;

function square(n, value) {
  return Array.from({length: n}, (_, i) => {
    const x = spread(i + 1, 0.754877) * 11 - 5.5;
    const y = spread(i + 1, 0.56984) * 11 - 5.5;
    return [x, y, value(x, y)];
  });
}

/** A disc, evenly filled: the golden angle. */
function disc(n, radius) {
  return Array.from({length: n}, (_, i) => {
    const r = radius * Math.sqrt((i + 0.5) / n);
    return [r * Math.sin(i * 2.39996), r * Math.cos(i * 2.39996)];
  });
}

function arms(n, count, turns) {
  return Array.from({length: n}, (_, i) => {
    const arm = i % count;
    const share = 0.06 + (0.94 * Math.floor(i / count)) / (n / count);
    const angle = turns * share * 2 * Math.PI + (arm * 2 * Math.PI) / count;
    return [5.2 * share * Math.sin(angle), 5.2 * share * Math.cos(angle), arm];
  });
}

const SHAPES = {
  circle: () => [...disc(26, 2.5).map(([x, y]) => [x, y, 1]), ...Array.from({length: 40}, (_, i) => {
    const r = 4.2 + 1.2 * spread(i, 0.618034);
    return [r * Math.sin(i * 0.157), r * Math.cos(i * 0.157), 0];
  })],
  xor: () => square(70, (x, y) => (x * y >= 0 ? 1 : 0)).filter(([x, y]) => Math.abs(x) > 0.5 && Math.abs(y) > 0.5),
  gauss: () => [-1, 1].flatMap((side) => disc(26, 2.3).map(([x, y]) => (
    [2.5 * side + x, 2.5 * side + y, Number(side > 0)]))),
  spiral: () => arms(72, 2, 1.4),
  spirals3: () => arms(75, 3, 0.64),
  plane: () => square(90, (x, y) => (x + y) / 10),
  gaussian: () => square(110, (x, y) => HILLS.reduce((most, [cx, cy, sign]) => {
    const here = sign * Math.max(0, 1 - Math.hypot(x - cx, y - cy) / 2);
    return Math.abs(here) > Math.abs(most) ? here : most;
  }, 0)),
};

/** The colour of a value from -1 (orange) to 1 (blue). */
export function valueColor(value) {
  const t = Math.max(-1, Math.min(1, value));
  const zero = rgb("--value-zero");
  const pole = rgb(t < 0 ? "--orange" : "--blue");
  return `rgb(${zero.map((from, i) => Math.round(from + (pole[i] - from) * Math.abs(t))).join(",")})`;
}

function drawOwn(context, size) {
  context.strokeStyle = color("--muted");
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(size / 2, size * 0.3);
  context.lineTo(size / 2, size * 0.7);
  context.moveTo(size * 0.3, size / 2);
  context.lineTo(size * 0.7, size / 2);
  context.stroke();
}

export function drawSet(context, size, name) {
  if (!SHAPES[name]) return drawOwn(context, size);
  const regression = name === "plane" || name === "gaussian";
  const radius = Math.max(1.4, size / 30);
  for (const [x, y, label] of SHAPES[name]()) {
    context.fillStyle = regression ? valueColor(label) : classColor(label);
    context.beginPath();
    context.arc(((x + 6) / 12) * size, ((6 - y) / 12) * size, radius, 0, 2 * Math.PI);
    context.fill();
  }
}
