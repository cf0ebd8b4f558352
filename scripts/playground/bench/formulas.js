// The training of playground.tensorflow.org, written out from its formulas as such a page does it: example by example,
// unit by unit, with an object for each unit and each weight, because the page draws them. bench.lua runs it in a
// browser.
//
//   forward    y = tanh(b + sum of w x)
//   loss       (y - target)^2 / 2
//   backward   dz = dy (1 - y^2), dw += dz x, db += dz, dx = sum of w dz
//   update     after each batch: w -= rate * mean of dw, b likewise
"use strict";

class Unit {
  constructor() {
    this.into = [];
    this.from = [];
    this.bias = 0.1;
    this.biasSum = 0;
    this.y = 0;
    this.dy = 0;
    this.dz = 0;
  }
}

class Weight {
  constructor(source, target) {
    this.source = source;
    this.target = target;
    this.value = Math.random() - 0.5;
    this.sum = 0;
  }
}

/** A net: layers of units, the inputs first. */
function makeNet(sizes) {
  const layers = sizes.map((size) => Array.from({ length: size }, () => new Unit()));
  for (let l = 1; l < layers.length; l++) {
    for (const target of layers[l]) {
      for (const source of layers[l - 1]) {
        const weight = new Weight(source, target);
        target.into.push(weight);
        source.from.push(weight);
      }
    }
  }
  return layers;
}

function forward(layers, point) {
  const inputs = layers[0];
  for (let i = 0; i < inputs.length; i++) inputs[i].y = point[i];
  for (let l = 1; l < layers.length; l++) {
    const layer = layers[l];
    for (let i = 0; i < layer.length; i++) {
      const unit = layer[i];
      let z = unit.bias;
      for (let k = 0; k < unit.into.length; k++) z += unit.into[k].value * unit.into[k].source.y;
      unit.y = Math.tanh(z);
    }
  }
  return layers[layers.length - 1][0].y;
}

function backward(layers, target) {
  const output = layers[layers.length - 1][0];
  output.dy = output.y - target;
  for (let l = layers.length - 1; l > 0; l--) {
    const layer = layers[l];
    for (let i = 0; i < layer.length; i++) {
      const unit = layer[i];
      unit.dz = unit.dy * (1 - unit.y * unit.y);
      unit.biasSum += unit.dz;
      for (let k = 0; k < unit.into.length; k++) unit.into[k].sum += unit.dz * unit.into[k].source.y;
    }
    const below = layers[l - 1];
    for (let i = 0; l > 1 && i < below.length; i++) {
      const unit = below[i];
      unit.dy = 0;
      for (let k = 0; k < unit.from.length; k++) unit.dy += unit.from[k].value * unit.from[k].target.dz;
    }
  }
}

function update(layers, rate, rows) {
  for (let l = 1; l < layers.length; l++) {
    for (const unit of layers[l]) {
      unit.bias -= (rate * unit.biasSum) / rows;
      unit.biasSum = 0;
      for (const weight of unit.into) {
        weight.value -= (rate * weight.sum) / rows;
        weight.sum = 0;
      }
    }
  }
}

function epoch(layers, data, rate, batch) {
  for (let i = 0; i < data.length; i++) {
    forward(layers, data[i].point);
    backward(layers, data[i].label);
    if ((i + 1) % batch === 0) update(layers, rate, batch);
  }
}

function loss(layers, data) {
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    const error = forward(layers, data[i].point) - data[i].label;
    sum += (error * error) / 2;
  }
  return sum / data.length;
}

/** A disc of one class within a ring of the other. */
function makePoints(count) {
  const points = [];
  for (let i = 0; i < count; i++) {
    const inner = i % 2 === 0;
    const radius = inner ? 2.5 * Math.random() : 3.5 + 1.5 * Math.random();
    const angle = 2 * Math.PI * Math.random();
    points.push({ point: [radius * Math.cos(angle), radius * Math.sin(angle)], label: inner ? 1 : -1 });
  }
  return points.sort(() => Math.random() - 0.5);
}

/** The least microseconds of a call: of stretches so short that some of them keep their core. */
function least(call) {
  const stretches = 200;
  const calls = 20;
  let best = Infinity;
  for (let i = 0; i < stretches; i++) {
    const start = performance.now();
    for (let k = 0; k < calls; k++) call();
    best = Math.min(best, (performance.now() - start) / calls);
  }
  return 1000 * best;
}

/** Microseconds of an epoch, and of an epoch with both losses; and the loss in the end. */
function measure(sizes, rows, batch, rate) {
  const net = makeNet(sizes);
  const train = makePoints(rows);
  const test = makePoints(rows);
  let sum = 0; // so that nothing is left out as unused
  const alone = least(() => epoch(net, train, rate, batch));
  const both = least(() => {
    epoch(net, train, rate, batch);
    sum += loss(net, train) + loss(net, test);
  });
  return { epoch: alone, losses: both, loss: loss(net, train), sum };
}
