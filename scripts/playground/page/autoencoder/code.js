// The panel "code": the numbers that the net keeps of a picture, as bars; drag one and see the picture change.

import {button, make} from "../controls.js";
import {panel} from "../panel.js";
import {codeBars} from "./codebars.js";
import {latest} from "./latest.js";
import {failure, picture} from "./parts.js";
import {plane} from "./plane.js";

/** Which picture's code it is, in words. */
function words({source, label, row, edited}) {
  const test = label === undefined || label === null ? `row ${row}` : `the chosen ${label}`;
  const whose = source === "drawing" ? "your drawing" : test;
  return edited ? `Changed from the code of ${whose}.` : `The code of ${whose}: all that the net keeps of it.`;
}

function captioned(parent, caption, options) {
  const element = make("figure", {className: options.frame});
  const shown = picture(element, options);
  element.append(make("figcaption", {textContent: caption}));
  parent.append(element);
  return shown;
}

export function create(wire, parent, page) {
  const failed = failure(page);
  const section = panel(parent, {
    name: "code", title: "Drag its code", watch: ["code"], className: "ae-code", note: "The code of a picture.",
  });
  let editing = false; // what is shown is ahead of what the host has answered
  const send = latest((values) => wire.command("code", values ? {values} : {}), failed);
  const hold = (values) => {
    editing = true;
    letGo.disabled = false;
    send(values);
  };
  const letGo = button("Let go", "Goes back to the picture's own code", () => {
    editing = false;
    send(null);
  });
  letGo.disabled = true;
  section.tools.append(letGo);

  const left = make("div", {className: "code-hands"});
  const side = make("div", {className: "code-side"}, left,
    make("p", {className: "code-help", textContent: "Drag a bar up or down, or use the arrow keys."}));
  const right = make("div", {className: "code-pictures"});
  section.body.append(side, right);
  const bars = codeBars(left, {change: hold});
  const both = plane(left, {change(values) {
    bars.set({values, low: data.low.data, high: data.high.data});
    hold(values);
  }});
  const decoded = captioned(right, "decoded from the bars",
    {label: "The picture that the net decodes from the bars", color: "--orange", frame: "code-decoded"});
  const original = captioned(right, "the picture itself",
    {label: "The picture whose code it is", color: "--blue", frame: "code-original"});
  let data = null;

  function show() {
    section.note(words(data));
    decoded.set(data.decoded.data);
    original.set(data.original.data);
    letGo.disabled = !data.edited && !editing;
    // while a drag is on its way the bars are where the hand has them
    if (!bars.dragging && !both.dragging && !(editing && send.busy)) {
      editing = data.edited;
      bars.set({values: data.values.data, low: data.low.data, high: data.high.data});
      both.set(data.values.data, wire.last.map);
    }
  }

  return {
    element: section.element,
    events: {
      code(next) {
        data = next;
        const two = data.values.data.length === 2;
        both.show(two);
        left.classList.toggle("code-two", two);
        section.watch(two ? ["code", "map"] : ["code"]);
        show();
      },
      map() { if (data) both.set(both.dragging ? bars.values : data.values.data, wire.last.map); },
    },
    destroy() {
      decoded.destroy();
      original.destroy();
      both.destroy();
      section.destroy();
    },
  };
}
