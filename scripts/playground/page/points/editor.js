/**
 * The editor of a unit's numbers: its bias and what comes in.
 *
 *   const e = editor(parent, change);        change({layer, from, to, value}) -> promise
 *   e.open({layer, to, title, inputs: ["x₁", ...], read(from)}, from, anchor, opener)     from: the field that is
 *                                            chosen first (0: the bias)
 *   e.update()                               the numbers have changed;  e.close();  e.shown() -> {layer, to} or null
 *
 * Enter or leaving a field changes the number, Escape closes.
 */

import {button, make} from "../controls.js";

const LIMIT = 1e6;

class Editor {
  constructor(parent, change) {
    Object.assign(this, {change, target: null, fields: []});
    this.title = make("h3", {className: "editor-title", id: "editor-title"});
    this.wrong = make("p", {className: "wrong", role: "alert"});
    this.rows = make("div", {className: "editor-rows"});
    const close = button("Close", "Closes the editor (Escape)", () => this.close(), {className: "small quiet"});
    this.element = make("div", {className: "editor", role: "dialog", "aria-labelledby": "editor-title", hidden: true},
      make("div", {className: "panel-head"}, this.title, close), this.rows, this.wrong);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    document.addEventListener("pointerdown", (event) => {
      const inside = this.element.contains(event.target) || event.target.closest(".unit, .link-hit");
      if (!inside) this.close(false);
    });
    parent.append(this.element);
  }

  row(from, name) {
    const id = `editor-${from}`;
    const input = make("input", {type: "number", step: "0.1", id, className: "input number", min: -LIMIT, max: LIMIT});
    input.addEventListener("change", () => this.send(from, input));
    this.fields[from] = input;
    const label = make("label", {htmlFor: id, textContent: name});
    return make("div", {className: "editor-row"}, label, input);
  }

  open(target, from, anchor, opener) {
    this.target = target;
    this.opener = opener;
    this.fields = [];
    this.title.textContent = target.title;
    this.wrong.textContent = "";
    const rows = target.inputs.map((name, i) => this.row(i + 1, `from ${name}`));
    this.rows.replaceChildren(this.row(0, "bias"), ...rows);
    this.element.hidden = false;
    this.update();
    this.place(anchor);
    this.fields[from]?.focus({preventScroll: true});
    this.fields[from]?.select();
  }

  /** Beside the anchor, where there is room. */
  place(anchor) {
    const box = anchor.getBoundingClientRect();
    const own = this.element.getBoundingClientRect();
    const below = box.bottom + 8;
    const top = below + own.height < innerHeight - 8 ? below : Math.max(72, box.top - own.height - 8);
    const left = Math.max(8, Math.min(box.left, innerWidth - own.width - 8));
    this.element.style.left = `${left}px`;
    this.element.style.top = `${top}px`;
  }

  update() {
    if (!this.target) return;
    this.fields.forEach((input, from) => {
      const value = this.target.read(from);
      if (value === undefined) return;
      input.dataset.value = String(value);
      if (document.activeElement !== input || input.value === "") input.value = String(Number(value.toPrecision(4)));
    });
  }

  async send(from, input) {
    const value = Number(input.value);
    if (input.value.trim() === "" || !Number.isFinite(value) || Math.abs(value) > LIMIT) {
      this.wrong.textContent = "Expected a number from −1,000,000 to 1,000,000.";
      return;
    }
    try {
      await this.change({layer: this.target.layer, from, to: this.target.to, value});
      this.wrong.textContent = "";
    } catch (error) {
      this.wrong.textContent = error.message;
    }
  }

  shown() { return this.target; }

  close(focus = true) {
    if (!this.target) return;
    this.target = null;
    this.element.hidden = true;
    if (focus) this.opener?.focus();
  }
}

export const editor = (parent, change) => new Editor(parent, change);
