// The panel "code": the numbers that the net keeps of a picture, as bars; drag one and see the picture change.

import {button, make} from "../controls.js";
import {panel} from "../panel.js";
import {CodeBars} from "./codebars.js";
import {latest} from "./latest.js";
import {picture} from "./parts.js";
import {Plane} from "./plane.js";
import {labelWord} from "./words.js";

const HELP = "Drag a bar up or down, or use the arrow keys.";
const HELP_TWO = "Drag the mark or a bar, or use the arrow keys.";

/** Which picture's code it is, in words. */
function words(wire, {source, label, row, edited}) {
  const test = label === undefined || label === null ? `picture ${row}` : `the chosen ${labelWord(wire, label)}`;
  const whose = source === "drawing" ? "your drawing" : test;
  return edited ? `Changed from the code of ${whose}.` : `The code of ${whose}: all that the net keeps of it.`;
}

function captioned(parent, caption, options) {
  const element = make("figure", {className: `ae-figure ${options.frame}`});
  const shown = picture(element, options);
  element.append(make("figcaption", {textContent: caption}));
  parent.append(element);
  return shown;
}

class CodePanel {
  constructor(wire, parent, page) {
    this.wire = wire;
    this.data = null;
    this.editing = false; // what is shown is ahead of what the host has answered
    this.section = panel(parent, {
      name: "code", title: "Drag its code", watch: ["code"], className: "ae-code", note: "The code of a picture.",
    });
    this.send = latest((values) => wire.command("code", values ? {values} : {}), page.failed);
    this.letGo = button("Let go", "Goes back to the picture's own code", () => {
      this.editing = false;
      this.send(null);
    });
    this.letGo.disabled = true;
    this.section.tools.append(this.letGo);
    this.build(this.section.body);
  }

  build(body) {
    this.hands = make("div", {className: "code-hands"});
    this.help = make("p", {className: "code-help", textContent: HELP});
    const side = make("div", {className: "code-side"}, this.hands, this.help);
    const right = make("div", {className: "code-pictures"});
    body.append(side, right);
    this.bars = new CodeBars(this.hands, (values) => this.hold(values));
    this.plane = new Plane(this.hands, (values) => {
      this.bars.set({values, low: this.data.low.data, high: this.data.high.data});
      this.hold(values);
    });
    this.decoded = captioned(right, "decoded from the bars",
      {label: "The picture that the net decodes from the bars", color: "--orange", frame: "code-decoded"});
    this.original = captioned(right, "the picture itself",
      {label: "The picture whose code it is", color: "--blue", frame: "code-original"});
  }

  hold(values) {
    this.editing = true;
    this.letGo.disabled = false;
    this.send(values);
  }

  take(data) {
    const two = data.values.data.length === 2;
    if (!this.data || two !== (this.data.values.data.length === 2)) {
      this.plane.element.hidden = !two;
      this.hands.classList.toggle("code-two", two);
      this.help.textContent = two ? HELP_TWO : HELP;
      this.section.watch(two ? ["code", "map"] : ["code"]);
    }
    this.data = data;
    this.section.note(words(this.wire, data));
    this.decoded.set(data.decoded.data);
    this.original.set(data.original.data);
    this.showHands();
  }

  /** While a drag is on its way the bars are where the hand has them. */
  showHands() {
    const {values, low, high, edited} = this.data;
    const busy = this.bars.dragging || this.plane.dragging || (this.editing && this.send.busy);
    if (!busy) {
      this.editing = edited;
      this.bars.set({values: values.data, low: low.data, high: high.data});
      if (!edited) this.bars.forget();
      this.showPlane();
    }
    this.letGo.disabled = !edited && !this.editing;
  }

  showPlane() {
    if (this.data?.values.data.length === 2) this.plane.set(this.bars.values, this.wire.last.map);
  }

  destroy() {
    for (const one of [this.decoded, this.original, this.plane, this.section]) one.destroy();
  }
}

export function create(wire, parent, page) {
  const one = new CodePanel(wire, parent, page);
  return {
    element: one.section.element,
    events: {code: (data) => one.take(data), map: () => one.showPlane()},
    destroy: () => one.destroy(),
  };
}
