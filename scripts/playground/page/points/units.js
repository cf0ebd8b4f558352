/**
 * How a unit of the net looks: its heat map and its bias.
 *
 *   part(maps, index)                  {bytes, side} of one map of [n x side x side], from 1; null if there is none
 *   clipToPlate(context, box)          what is drawn until restore() is on a plate with round corners, the colour of 0
 *   drawUnit(context, box, picture, {discrete, dim})     picture: {bytes, side, table} or null
 *   classTable(i)                      256 colours from paper to the colour of class i
 *   paintBias(element, bias)           its colour is the sign, its size the size
 */

import {rounded} from "../controls.js";
import {heatmap} from "../draw/heatmap.js";
import {className, color, shadesFrom} from "../draw/palette.js";

export function part(maps, index) {
  const side = maps.shape[maps.shape.length - 1];
  const bytes = maps.data.subarray((index - 1) * side * side, index * side * side);
  return bytes.length ? {bytes, side} : null;
}

export function clipToPlate(context, box) {
  context.save();
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, 6);
  context.clip();
  context.fillStyle = color("--map-zero");
  context.fillRect(box.x, box.y, box.width, box.height);
}

export function drawUnit(context, box, picture, options) {
  clipToPlate(context, box);
  if (picture) {
    const {bytes, side, table} = picture;
    heatmap(context, bytes, side, side, box, table ? {...options, table} : options);
  }
  context.restore();
}

export const classTable = (i) => shadesFrom("--map-zero", className(i));

export function paintBias(element, bias) {
  if (element.dataset.value === String(bias)) return;
  element.dataset.value = String(bias);
  element.title = `Bias ${rounded(bias)}`;
  element.classList.toggle("negative", bias < 0);
  const size = Math.round(6 + 6 * (Math.abs(bias) / (0.8 + Math.abs(bias))));
  element.style.width = element.style.height = `${size}px`;
}
