/**
 * The visitor's own points: what they stand for, which class is placed next, undo, clear, a CSV.
 *
 *   const own = ownPoints(parent, table, wire, page);     table: where the kind of the labels and the CSV go
 *   own.schema(lines), own.state(state), own.points(data)       from the events
 *   own.active()            are own points placed now?
 *   own.place(x, y)         one more point;  own.key(key)  true if the key meant something (1 2 3, Backspace)
 *   own.text(text)          a CSV, also when another set is shown
 *
 * The points are kept in the address too, so that a copied address has them.
 */

import {button, control, make} from "../controls.js";
import {CLASS_NAMES, classOf, labelOf} from "./names.js";
import {readPoints} from "./csv.js";

const MOST_IN_ADDRESS = 400;
const CLASSES = {two: 2, three: 3, values: 0};

const encode = (list) => list.map((point) => point.join("_")).join("~");

function decode(text) {
  const list = String(text ?? "").split("~").filter(Boolean).map((part) => part.split("_").map(Number));
  return list.every((point) => point.length === 3 && point.every(Number.isFinite)) ? list : [];
}

class OwnPoints {
  constructor(parent, table, wire, page) {
    Object.assign(this, {wire, page, chosen: 1, value: 1, problem: null, labels: "two", meaning: null});
    this.list = decode(page.given("points"));
    this.made = this.list;
    this.restore = this.list.length > 0;
    this.classes = make("div", {className: "segmented", role: "radiogroup", "aria-label": "Class of the next point"});
    this.number = control({
      name: "own-value", label: "Value", kind: "number", low: -1, high: 1, step: 0.1, default: 1,
      help: "The value of the next point, from -1 (orange) to 1 (blue).",
    }, (_, value) => { this.value = value; });
    this.undo = button("Undo", "Takes the last point away (Backspace)", () => this.back(), {className: "quiet"});
    this.wipe = button("Clear", "Takes all points away", () => this.clear(), {className: "quiet"});
    this.bar = make("div", {className: "own-row own-bar", hidden: true}, this.classes, this.number.element, this.undo,
      this.wipe);
    this.table = make("div", {className: "own-table", hidden: true}, this.paste());
    parent.append(this.bar);
    table.append(this.table);
  }

  paste() {
    const area = make("textarea", {
      className: "input own-text", rows: 4, spellcheck: false, placeholder: "1.5,-2,1\n-3,0.5,-1",
      "aria-label": "Points as lines x,y,label",
    });
    const file = make("input", {type: "file", accept: ".csv,.txt,text/csv,text/plain",
      "aria-label": "A CSV file with lines x,y,label"});
    file.addEventListener("change", async () => {
      if (file.files[0]) this.text(await file.files[0].text());
      file.value = "";
    });
    const read = button("Use these lines", "Takes the points from the lines above", () => this.text(area.value));
    return make("details", {className: "own-csv"}, make("summary", {textContent: "From a table (CSV)"}),
      make("p", {className: "panel-note", textContent: "Lines x,y,label. Two classes have the labels -1 and 1, "
        + "three 0, 1 and 2; other numbers from -1 to 1 are values. Paste lines here, choose a file, or drop one on "
        + "the plane. They replace the points."}), area,
      make("div", {className: "own-row"}, read, make("label", {className: "button own-file"}, "Choose a file", file)));
  }

  schema(lines) {
    const line = lines.find(({name}) => name === "own_labels");
    if (!line || this.meaning) return;
    this.meaning = control(line, (name, value) => this.relabel(value));
    this.table.prepend(this.meaning.element);
  }

  count() { return CLASSES[this.labels] ?? 2; }

  active() { return this.problem === "own"; }

  /** Buttons for the classes that the labels allow. */
  drawClasses() {
    const n = this.count();
    this.classes.hidden = n === 0;
    this.number.element.hidden = n !== 0;
    if (this.classes.childElementCount === n) return;
    if (this.chosen >= n) this.chosen = 0;
    this.classes.replaceChildren(...CLASS_NAMES.slice(0, n).map((name, i) => {
      const radio = make("input", {type: "radio", name: "own-class", checked: i === this.chosen, "aria-label": name});
      radio.addEventListener("change", () => { this.chosen = i; });
      const swatch = make("i", {className: `swatch shape-${n === 3 ? i : 0} ${name}`});
      const text = make("span", {}, swatch, String(labelOf(i, n)).replace("-", "−"));
      return make("label", {className: "segment", title: `Places ${name} points (key ${i + 1})`}, radio, text);
    }));
  }

  choose(i) {
    const radio = this.classes.querySelectorAll("input")[i];
    if (!radio) return false;
    radio.checked = true;
    this.chosen = i;
    return true;
  }

  key(key) {
    if (key === "Backspace" || key === "Delete") this.back();
    else return /^[1-3]$/.test(key) && this.choose(Number(key) - 1);
    return true;
  }

  state({settings}) {
    this.problem = settings.problem;
    this.labels = settings.own_labels ?? "two";
    this.bar.hidden = this.table.hidden = !this.active();
    this.meaning?.set(this.labels);
    this.drawClasses();
    this.remember();
  }

  /** The host's points count; the order, in which they were placed, is kept here. */
  points({train, train_labels, test, test_labels}) {
    if (!this.active()) return;
    const n = train.shape[0] + test.shape[0];
    const restore = this.restore && n === 0;
    this.restore = false;
    if (restore) return this.send(this.list);
    const list = [...listOf(train, train_labels), ...listOf(test, test_labels)];
    this.list = sameSet(list, this.made) ? this.made : list;
    this.undo.disabled = this.wipe.disabled = n === 0;
    this.remember();
  }

  /** A session that has begun anew knows no points; those that are here are given to it. */
  reopen() { this.restore = this.list.length > 0; }

  remember() {
    const few = this.list.length > 0 && this.list.length <= MOST_IN_ADDRESS;
    this.page.extra("points", this.active() && few ? encode(this.list) : null);
  }

  send(list, labels = this.labels) {
    const before = this.list;
    this.list = this.made = list;
    return this.wire.command("points", {list, own_labels: labels}).catch((error) => {
      this.list = this.made = before;
      this.page.failed(error);
    });
  }

  place(x, y) {
    const near = (value) => Math.round(value * 100) / 100;
    const label = this.count() ? labelOf(this.chosen, this.count()) : this.value;
    const point = [near(x), near(y), label];
    this.list = this.made = [...this.list, point];
    this.page.speak(`Placed a point at ${point[0]}, ${point[1]}.`);
    this.wire.command("point", {x: point[0], y: point[1], label}).catch((error) => {
      this.list = this.made = this.list.filter((one) => one !== point);
      this.page.failed(error);
    });
  }

  back() {
    if (this.list.length) this.send(this.list.slice(0, -1));
  }

  clear() {
    this.list = this.made = [];
    this.wire.command("clear").catch(this.page.failed);
  }

  /** Other labels: the points keep their places, and as much of their class as there is. */
  relabel(labels) {
    const to = CLASSES[labels];
    const from = this.count();
    const list = this.list.map(([x, y, label]) => {
      if (to === 0) return [x, y, from === 3 ? label - 1 : label];
      const index = from === 0 ? Number(label > 0) : classOf(label, from);
      return [x, y, labelOf(Math.min(index, to - 1), to)];
    });
    this.made = list;
    return this.wire.command("points", {list, own_labels: labels});
  }

  text(text) {
    let read;
    try {
      read = readPoints(text);
    } catch (error) {
      return this.page.failed(error);
    }
    const kinds = {two: "two classes", three: "three classes", values: "values"};
    this.page.speak(`${read.list.length} points, ${kinds[read.own_labels]}.`);
    return this.send(read.list, read.own_labels);
  }
}

/** What is left of a number that went to the host and back. */
const round = (value) => Number(Math.fround(value).toPrecision(7));

function sameSet(a, b) {
  const key = (list) => list.map((point) => point.map(round).join("_")).sort().join("~");
  return a.length === b.length && key(a) === key(b);
}

function listOf(points, labels) {
  const at = (i) => [points.data[2 * i], points.data[2 * i + 1], labels.data[i]].map(round);
  return Array.from(labels.data, (_, i) => at(i));
}

export const ownPoints = (parent, table, wire, page) => new OwnPoints(parent, table, wire, page);
