/**
 * Where everything of the net lies: features at the left, hidden layers, the output at the right.
 *
 *   const s = shape({features: ["x1", ...], on: [true, ...], hidden: [4, 2], outputs: 1, size: 40, pitch: 50}, room)
 *   s.width, s.height, s.size (of a unit)
 *   s.columns   [{kind: "features" | "hidden" | "output", x, layer}]     x: the left edge of its units
 *   s.units     [{key, kind, x, y, layer, index, name?, on?}]     layer 1 is the first that has weights; index from 1
 *   s.links     [{layer, from, to, x0, y0, x1, y1}]
 */

const HEAD = 60;
const LABEL = 52;
const LEAST = 70;
const RIGHT = 12;

function columnsOf({hidden, size}, room) {
  const count = hidden.length + 2;
  const first = LABEL;
  const least = first + size + (count - 1) * LEAST + RIGHT;
  const width = Math.max(room, least);
  const step = (width - RIGHT - size - first) / (count - 1);
  return {width, columns: Array.from({length: count}, (_, i) => ({
    kind: i === 0 ? "features" : i === count - 1 ? "output" : "hidden", layer: i, x: Math.round(first + i * step),
  }))};
}

function unitsOf(column, {features, on, hidden, outputs, pitch}, height) {
  const {kind, layer, x} = column;
  const n = kind === "features" ? features.length : kind === "hidden" ? hidden[layer - 1] : outputs;
  const top = HEAD + (height - HEAD - n * pitch) / 2;
  return Array.from({length: n}, (_, i) => ({
    key: kind === "features" ? `f-${features[i]}` : `${kind[0]}-${kind === "output" ? "" : `${layer}-`}${i + 1}`,
    kind, layer, index: i + 1, x, y: Math.round(top + i * pitch), name: features[i], on: kind !== "features" || on[i],
  }));
}

function join(from, to, size) {
  const sources = from.filter((unit) => unit.on);
  return to.flatMap((target) => sources.map((source, i) => ({
    layer: target.layer, from: i + 1, to: target.index,
    x0: source.x + size, y0: source.y + size / 2, x1: target.x, y1: target.y + size / 2,
  })));
}

export function shape(net, room) {
  const {width, columns} = columnsOf(net, room);
  const most = Math.max(net.features.length, net.outputs, ...net.hidden);
  const height = HEAD + most * net.pitch;
  const groups = columns.map((column) => unitsOf(column, net, height));
  const links = groups.slice(1).flatMap((group, i) => join(groups[i], group, net.size));
  return {width, height, size: net.size, columns, units: groups.flat(), groups, links};
}
