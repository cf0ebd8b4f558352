/**
 * The panel "The net": features, hidden layers and the output, with links between them.
 *
 *   const n = netPanel(parent, wire, page, {looked(unit | null)});
 *   n.state(state), n.features(data), n.units(data), n.weights(data), n.points(data)    the events
 *   n.discrete(true)     heat maps show only the sign
 *
 * Hovering or focusing a unit tells looked({words, bytes, side}). A click or Enter on a feature switches it, on a unit
 * or a link it opens the editor. The arrow keys go from unit to unit.
 */

import {button, make, rounded, write} from "../controls.js";
import {surface} from "../draw/canvas.js";
import {often, seldom} from "../draw/frames.js";
import {panel} from "../panel.js";
import {editor} from "./editor.js";
import {links} from "./links.js";
import {FEATURES} from "./names.js";
import {shape} from "./shape.js";
import {classTable, corners, drawBias, drawUnits, part} from "./units.js";

const NOTE = "Line width is the size of a weight, colour its sign. Click a unit or a line to change a number.";
const MOST_LAYERS = 6;
const MOST_UNITS = 8;
const NEW_LAYER = 2;
const STEPS = {ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0]};

const knob = (sign, words, press) => button(words, words, press,
  {className: "small", icon: make("span", {textContent: sign})});

class Net {
  constructor(parent, wire, page, listeners) {
    Object.assign(this, {wire, page, listeners, hidden: null, classes: 2, sign: false, parts: new Map(), focus: null});
    this.panel = panel(parent, {title: "Net", note: NOTE, name: "net", watch: ["features", "units", "weights"],
      className: "points-net"});
    this.buildHead();
    this.scroll = make("div", {className: "net-scroll"});
    this.board = make("div", {className: "net-board"});
    this.scroll.append(this.board);
    this.panel.body.append(this.scroll);
    this.links = links(this.board, {
      chosen: (link, element) => this.edit(link.layer, link.to, link.from, element),
      hovered: (link, event) => this.tell(link, event),
    });
    this.maps = surface(this.board, {className: "net-maps", draw: (context) => this.draw(context)});
    this.tip = make("div", {className: "net-tip number", hidden: true, "aria-hidden": "true"});
    this.board.append(this.tip);
    this.editor = editor(this.panel.element, (change) => this.wire.command("edit", change));
    this.board.addEventListener("keydown", (event) => this.key(event));
    this.across = 0; // kept, because asking makes the browser lay out the page
    new ResizeObserver(() => {
      this.across = this.scroll.clientWidth;
      this.arrange();
    }).observe(this.scroll);
  }

  buildHead() {
    this.count = make("span", {className: "net-count number"});
    this.fewer = knob("−", "Take the last hidden layer away", () => this.change(this.hidden.slice(0, -1)));
    this.more = knob("+", "Add a hidden layer of two units", () => this.change([...this.hidden, NEW_LAYER]));
    this.panel.tools.append(this.fewer, this.count, this.more);
  }

  change(hidden) { return this.page.set({hidden}).catch(this.page.failed); }

  state({settings}) {
    this.hidden = settings.hidden;
    const n = this.hidden.length;
    write(this.count, `${n} hidden layer${n === 1 ? "" : "s"}`);
    this.count.dataset.value = String(n);
    this.fewer.disabled = n === 0;
    this.more.disabled = n === MOST_LAYERS;
    this.arrange();
  }

  features(data) {
    this.inputs = data;
    this.arrange();
    this.maps.dirty();
  }

  points({classes}) {
    this.classes = classes;
    this.arrange();
  }

  units(data) {
    this.pictures = data;
    often(this.maps.dirty);
    if (this.focus) this.look(this.focus);
  }

  weights({layers}) {
    this.numbers = layers;
    often(this.maps.dirty);
    seldom(this.paint ??= () => this.paintWeights());
  }

  discrete(sign) {
    this.sign = sign;
    this.maps.dirty();
  }

  /* Where things are */

  arrange() {
    if (!this.hidden || !this.inputs || !this.across) return;
    const {names, on} = this.inputs;
    const outputs = this.classes === 3 ? 3 : 1;
    const key = JSON.stringify([on, this.hidden, outputs, this.across]);
    if (key === this.arranged) return;
    this.arranged = key;
    const room = this.across - 16;
    const sizes = room > 540 ? {size: 44, pitch: 66} : {size: 40, pitch: 50};
    this.shape = shape({features: names, on, hidden: this.hidden, outputs, ...sizes}, room);
    this.board.style.width = `${this.shape.width}px`;
    this.board.style.height = `${this.shape.height}px`;
    this.links.build(this.shape.links, this.shape.width, this.shape.height);
    this.buildParts();
    if (this.editor.shown()) this.editor.close(false);
    if (this.numbers) this.links.weights(this.numbers);
    this.corners = corners(this.shape.units.map((unit) => this.boxOf(unit)));
    this.maps.dirty();
  }

  /** Buttons stay the same elements while their unit is there, so that the focus stays. */
  buildParts() {
    const kept = new Map();
    const keep = (key, create) => {
      const part = this.parts.get(key) ?? create();
      if (!part.isConnected) this.board.append(part);
      kept.set(key, part);
      return part;
    };
    for (const column of this.shape.columns) this.buildColumn(column, keep);
    for (const unit of this.shape.units) this.buildUnit(unit, keep);
    for (const [key, part] of this.parts) {
      if (!kept.has(key)) part.remove();
    }
    this.parts = kept;
    const here = this.shape.units.find((unit) => unit.key === this.tabbed) ?? this.shape.units[0];
    this.rove(here.key);
  }

  buildColumn({kind, layer, x}, keep) {
    const head = keep(`head-${kind}-${layer}`, () => this.createHead(kind, layer));
    head.style.left = `${x + this.shape.size / 2}px`;
    if (kind !== "hidden") return;
    const n = this.hidden[layer - 1];
    const [fewer, more] = head.querySelectorAll("button");
    fewer.disabled = n === 1;
    more.disabled = n === MOST_UNITS;
    head.querySelector(".net-head-word").textContent = `${n} unit${n === 1 ? "" : "s"}`;
  }

  createHead(kind, layer) {
    const text = {features: "Features", hidden: "", output: "Output"}[kind];
    const word = make("span", {className: "net-head-word number", textContent: text});
    if (kind !== "hidden") return make("div", {className: "net-head"}, word);
    const width = (by) => this.change(this.hidden.map((n, i) => (i === layer - 1 ? n + by : n)));
    return make("div", {className: "net-head", role: "group", "aria-label": `Hidden layer ${layer}`},
      make("div", {className: "net-head-row"}, knob("−", `One unit less in layer ${layer}`, () => width(-1)),
        knob("+", `One unit more in layer ${layer}`, () => width(1))), word);
  }

  buildUnit(unit, keep) {
    const part = keep(unit.key, () => this.createUnit(unit.key));
    part.style.left = `${unit.x}px`;
    part.style.top = `${unit.y}px`;
    part.style.width = part.style.height = `${this.shape.size}px`;
    part.classList.toggle("off", !unit.on);
    if (unit.kind === "features") {
      part.setAttribute("aria-pressed", String(unit.on));
      part.setAttribute("aria-label", `Feature ${FEATURES[unit.name] ?? unit.name}`);
      part.querySelector(".unit-name").textContent = FEATURES[unit.name] ?? unit.name;
    } else {
      part.setAttribute("aria-label", `${this.wordsOf(unit)}: change its weights`);
    }
  }

  createUnit(key) {
    const part = make("button", {type: "button", className: "unit", tabIndex: -1, dataset: {key}});
    if (key.startsWith("f-")) part.append(make("span", {className: "unit-name"}));
    part.addEventListener("click", () => this.press(key, part));
    part.addEventListener("pointerenter", () => this.look(key));
    part.addEventListener("pointerleave", () => this.look(null));
    part.addEventListener("focus", () => { if (part.matches(":focus-visible")) this.look(key); this.rove(key); });
    part.addEventListener("blur", () => this.look(null));
    return part;
  }

  /* What people do */

  find(key) { return this.shape.units.find((unit) => unit.key === key); }

  press(key, part) {
    const unit = this.find(key);
    if (unit.kind !== "features") return this.edit(unit.layer, unit.index, 0, part);
    const {names, on} = this.inputs;
    const features = names.filter((name, i) => (name === unit.name ? !on[i] : on[i]));
    return this.page.set({features}).catch(this.page.failed);
  }

  rove(key) {
    this.tabbed = key;
    for (const unit of this.shape.units) this.parts.get(unit.key).tabIndex = unit.key === key ? 0 : -1;
  }

  key(event) {
    const step = STEPS[event.key];
    const unit = step && event.target.dataset.key && this.find(event.target.dataset.key);
    if (!unit) return;
    event.preventDefault();
    const group = this.shape.groups[unit.layer + step[0]];
    if (!group) return;
    const next = group[Math.max(0, Math.min(group.length - 1, unit.index - 1 + step[1]))];
    this.parts.get(next.key).focus();
  }

  wordsOf({kind, layer, index, name}) {
    if (kind === "features") return `Feature ${FEATURES[name] ?? name}`;
    if (kind === "hidden") return `Layer ${layer}, unit ${index}`;
    return this.classes === 3 ? `Output, class ${index - 1}` : "Output";
  }

  /** The names of what comes into a layer. */
  namesBefore(layer) {
    return this.shape.groups[layer - 1].filter((unit) => unit.on).map((unit) => (
      unit.kind === "features" ? FEATURES[unit.name] ?? unit.name : `unit ${unit.index}`));
  }

  edit(layer, to, from, element) {
    const unit = this.shape.groups[layer][to - 1];
    const read = (i) => {
      const one = this.numbers?.[layer - 1];
      if (!one) return undefined;
      return i === 0 ? one.bias.data[to - 1] : one.weight.data[(i - 1) * one.weight.shape[1] + to - 1];
    };
    const target = {layer, to, title: this.wordsOf(unit), inputs: this.namesBefore(layer), read};
    this.editor.open(target, from, element, this.parts.get(unit.key));
  }

  look(key) {
    const unit = key && this.find(key);
    this.focus = unit ? key : null;
    this.links.light(unit ? (link) => this.touches(link, unit) : null);
    const bias = unit ? this.biasOf(unit) : undefined;
    if (bias !== undefined) this.parts.get(key).title = `Bias ${rounded(bias)}`;
    if (!unit || unit.kind === "output") return this.listeners.looked(null);
    const picture = this.pictureOf(unit);
    return this.listeners.looked(picture && {words: this.wordsOf(unit), ...picture});
  }

  touches(link, unit) {
    if (link.layer === unit.layer) return link.to === unit.index;
    if (link.layer !== unit.layer + 1 || !unit.on) return false;
    return this.shape.groups[unit.layer].filter(({on}) => on)[link.from - 1] === unit;
  }

  tell(link, event) {
    this.tip.hidden = !link;
    if (!link) return;
    const from = this.namesBefore(link.layer)[link.from - 1];
    const to = this.wordsOf(this.shape.groups[link.layer][link.to - 1]);
    this.tip.textContent = `${from} → ${to}: ${rounded(link.value)}`;
    this.tip.dataset.value = String(link.value);
    const box = this.board.getBoundingClientRect();
    this.tip.style.left = `${Math.min(event.clientX - box.left + 12, this.shape.width - 200)}px`;
    this.tip.style.top = `${event.clientY - box.top + 14}px`;
  }

  /* Pictures */

  /** {bytes, side, table} of a unit's map, or null while there is none. */
  pictureOf(unit) {
    if (unit.kind === "features") return part(this.inputs.maps, unit.index);
    if (!this.pictures) return null;
    if (unit.kind === "output") return this.pictureOfOutput(unit);
    const {layers, maps} = this.pictures;
    if (layers.length !== this.hidden.length || layers[unit.layer - 1] < unit.index) return null;
    return part(maps, unit.index + layers.slice(0, unit.layer - 1).reduce((sum, n) => sum + n, 0));
  }

  pictureOfOutput(unit) {
    const {output} = this.pictures;
    if (output.shape.length === 2) return {bytes: output.data, side: output.shape[0]};
    return this.classes === 3 ? {...part(output, unit.index), table: classTable(unit.index - 1)} : null;
  }

  boxOf({x, y}) { return {x, y, width: this.shape.size, height: this.shape.size}; }

  biasOf({kind, layer, index}) {
    return kind === "features" ? undefined : this.numbers?.[layer - 1]?.bias.data[index - 1];
  }

  paintWeights() {
    this.links.weights(this.numbers);
    this.editor.update();
  }

  draw(context) {
    if (!this.shape) return;
    const {units} = this.shape;
    drawUnits(context, units.map((unit) => (
      {box: this.boxOf(unit), picture: this.pictureOf(unit), dim: unit.on ? 1 : 0.3})), this.sign);
    context.globalCompositeOperation = "destination-out";
    context.fill(this.corners);
    context.globalCompositeOperation = "source-over";
    for (const unit of units) {
      const bias = this.biasOf(unit);
      if (bias !== undefined) drawBias(context, this.boxOf(unit), bias);
    }
  }
}

export const netPanel = (parent, wire, page, listeners) => new Net(parent, wire, page, listeners);
