/**
 * The bars of a histogram.
 *
 *   drawBars(context, width, height, values)     from 0 at the bottom to the largest at the top
 */

import {color} from "./palette.js";

export function drawBars(context, width, height, values) {
  const most = Math.max(1, ...values);
  const step = width / values.length;
  const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
  context.fillStyle = color("--blue");
  values.forEach((value, i) => {
    const high = Math.max(1, (value / most) * height);
    context.fillRect(i * step + gap / 2, height - high, step - gap, high);
  });
}
