/**
 * Curves: losses over epochs.
 *
 *   curve(context, width, height, {x: [...], series: [{values: [...], color: "--orange", dashed: false}]},
 *         {log: false, axes: true, from: 0, unit: "epochs"})
 *
 * x and values are lists of the same length; null is a gap. The axis begins at 0 (or at `from`; null: at the least
 * value), with log: true at the power of ten below the least value. The margins stay whatever
 * the numbers are.
 */

import {color} from "./palette.js";
import {roundUp} from "./round.js";

const MARGIN = {left: 40, right: 8, top: 8, bottom: 18};

function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e4) return `${Math.round(value / 1000)}k`;
  if (size < 0.001) return value.toExponential(0);
  return String(Number(value.toPrecision(2)));
}

function bounds(series, {log, from = 0}) {
  let low = Infinity;
  let high = -Infinity;
  for (const {values} of series) {
    for (const value of values) {
      if (value === null || !Number.isFinite(value) || (log && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [log ? 0.01 : 0, 1];
  if (log) return [10 ** Math.floor(Math.log10(low)), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
  low = from === null ? low : Math.min(from, low);
  return [low, low + (roundUp(high - low) || 1)];
}

function grid(context, box, low, high, place, log) {
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  const steps = log ? Math.max(1, Math.round(Math.log10(high / low))) : 2;
  for (let i = 0; i <= steps; i++) {
    const value = log ? low * 10 ** i : low + ((high - low) * i) / steps;
    if (log && steps > 4 && i % 2) continue;
    const y = Math.round(place(value)) + 0.5;
    context.strokeStyle = color("--line");
    context.beginPath();
    context.moveTo(box.left, y);
    context.lineTo(box.right, y);
    context.stroke();
    context.fillStyle = color("--muted");
    context.fillText(short(value), box.left - 6, y);
  }
}

function line(context, x, values, across, place, {color: name, dashed, width = 1.75}) {
  context.strokeStyle = color(name);
  context.lineWidth = width;
  context.lineJoin = "round";
  context.setLineDash(dashed ? [4, 3] : []);
  context.beginPath();
  let pen = false;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null || !Number.isFinite(value)) {
      pen = false;
      continue;
    }
    if (pen) context.lineTo(across(x[i]), place(value));
    else context.moveTo(across(x[i]), place(value));
    pen = true;
  }
  context.stroke();
  context.setLineDash([]);
}

export function curve(context, width, height, {x, series}, options = {}) {
  const {log = false, axes = true, unit = "epochs"} = options;
  const margin = axes ? MARGIN : {left: 2, right: 2, top: 4, bottom: 4};
  const box = {left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom};
  const [low, high] = bounds(series, options);
  const scale = log ? (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low)
    : (value) => (value - low) / (high - low || 1);
  const place = (value) => box.bottom - Math.min(1, scale(value)) * (box.bottom - box.top);
  const first = x.length ? x[0] : 0;
  const last = Math.max(x.length ? x[x.length - 1] : 0, first + 1);
  const across = (value) => box.left + ((value - first) / (last - first)) * (box.right - box.left);
  if (axes) {
    grid(context, box, low, high, place, log);
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(first.toLocaleString("en"), box.left, height - 4);
    context.textAlign = "right";
    const word = last === 1 ? unit.replace(/s$/, "") : unit;
    context.fillText(`${last.toLocaleString("en")} ${word}`, box.right, height - 4);
  }
  for (const one of series) line(context, x, one.values, across, place, one);
}
