// Turns a picture file of any size into 28 x 28 grey pixels, ink bright on dark paper, as MNIST has them.

import {SIDE} from "./pad.js";

/** Grey of a pixel, by the weights of the eye; what is transparent counts as `paper`. */
function grey(rgba, paper) {
  const out = new Float32Array(rgba.length / 4);
  for (let i = 0; i < out.length; i++) {
    const [r, g, b, a] = rgba.subarray(4 * i, 4 * i + 4);
    const v = 0.299 * r + 0.587 * g + 0.114 * b;
    out[i] = (v * a + paper * (255 - a)) / 255;
  }
  return out;
}

/** True when the picture's border is brighter than its middle: dark ink on white paper. */
function onWhitePaper(pixels) {
  let border = 0;
  let all = 0;
  for (let i = 0; i < pixels.length; i++) {
    const x = i % SIDE;
    const y = (i - x) / SIDE;
    all += pixels[i] / pixels.length;
    if (x === 0 || y === 0 || x === SIDE - 1 || y === SIDE - 1) border += pixels[i] / (4 * SIDE - 4);
  }
  return border > 128 && border > all;
}

/** The image, halved until it is near 28 pixels, so that no thin line is lost between two samples. */
function halved(image) {
  let source = image;
  while (Math.max(source.width, source.height) > 2 * SIDE) {
    const half = document.createElement("canvas");
    half.width = Math.max(1, Math.round(source.width / 2));
    half.height = Math.max(1, Math.round(source.height / 2));
    half.getContext("2d").drawImage(source, 0, 0, half.width, half.height);
    source = half;
  }
  return source;
}

/** RGBA of 28 x 28 pixels with the image drawn over the given part of them. */
function drawn(image, x, y, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.imageSmoothingQuality = "high";
  context.drawImage(image, x, y, width, height);
  return context.getImageData(0, 0, SIDE, SIDE).data;
}

/** 784 values of an image: whole, its longer side 28 pixels, in the middle; dark ink on white paper is turned over. */
function pixelsOfImage(image) {
  const small = halved(image);
  const scale = SIDE / Math.max(small.width, small.height);
  const width = small.width * scale;
  const height = small.height * scale;
  // Stretched over all pixels the picture tells its paper; the margin of one that is not square gets that colour.
  const white = onWhitePaper(grey(drawn(small, 0, 0, SIDE, SIDE), 255));
  const rgba = drawn(small, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
  const pixels = grey(rgba, white ? 255 : 0);
  return Uint8Array.from(pixels, (v) => Math.round(white ? 255 - v : v));
}

/**
 * The picture in a file as 784 values, 0 to 255. Rejects with words for people.
 * @param {File} file
 */
export async function pixelsOf(file) {
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not a picture that the browser can read; choose a PNG or JPEG file.`);
  }
  const pixels = pixelsOfImage(image);
  image.close();
  return pixels;
}
