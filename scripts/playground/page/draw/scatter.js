/**
 * Points on a plane.
 *
 *   scatter(context, box, {points, n, range: [x0, x1, y0, y1], colorOf(i), shapeOf(i), radius, outlined, alpha})
 *   place(box, range) -> {x(value), y(value), inverse(px, py)}     from the plane to the box and back
 *   axes(context, box, range, {ticks: [...]})                      numbers along the bottom and the left
 *
 * box: {x, y, width, height} in CSS pixels; points: [x, y, x, y, ...]. shapeOf(i): 0 circle, 1 square, 2 triangle.
 * outlined: a ring in its colour around the paper (test points), else filled with a thin edge.
 */

import {color} from "./palette.js";

export function place({x, y, width, height}, [x0, x1, y0, y1]) {
  return {
    x: (value) => x + ((value - x0) / (x1 - x0)) * width,
    y: (value) => y + ((y1 - value) / (y1 - y0)) * height,
    inverse: (px, py) => [x0 + ((px - x) / width) * (x1 - x0), y1 - ((py - y) / height) * (y1 - y0)],
  };
}

function trace(context, shape, x, y, radius) {
  context.beginPath();
  if (shape === 1) {
    context.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
  } else if (shape === 2) {
    context.moveTo(x, y - radius * 1.25);
    context.lineTo(x + radius * 1.15, y + radius * 0.85);
    context.lineTo(x - radius * 1.15, y + radius * 0.85);
    context.closePath();
  } else {
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
}

export function scatter(context, box, options) {
  const {points, n = points.length / 2, range, colorOf, shapeOf = () => 0} = options;
  const {radius = 3, outlined = false, alpha = 1} = options;
  const at = place(box, range);
  context.globalAlpha = alpha;
  for (let i = 0; i < n; i++) {
    trace(context, shapeOf(i), at.x(points[2 * i]), at.y(points[2 * i + 1]), outlined ? radius - 0.25 : radius);
    context.fillStyle = outlined ? color("--panel") : colorOf(i);
    context.strokeStyle = outlined ? colorOf(i) : color("--point-edge");
    context.lineWidth = outlined ? 1.75 : 0.9;
    context.fill();
    context.stroke();
  }
  context.globalAlpha = 1;
}

export function axes(context, box, [x0, x1, y0, y1], {ticks = [x0, (x0 + x1) / 2, x1]} = {}) {
  const at = place(box, [x0, x1, y0, y1]);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = color("--muted");
  context.textAlign = "center";
  context.textBaseline = "top";
  const text = (value) => String(value).replace("-", "−");
  for (const tick of ticks) context.fillText(text(tick), at.x(tick), box.y + box.height + 4);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of ticks) context.fillText(text(tick), box.x - 5, at.y(tick));
}
