// The panel "samples": pictures that a variational net makes by itself, of codes that it draws.

import {button, make} from "../controls.js";
import {panel} from "../panel.js";
import {picture, SIZE} from "./parts.js";

const SHOWN = 10;

export function create(wire, parent, {failed}) {
  const section = panel(parent, {
    name: "samples", title: "New pictures", watch: ["samples"], className: "ae-samples",
    note: "No picture stands behind these: the net decodes codes that are drawn from a normal distribution.",
  });
  section.tools.append(button("Ten others", "Draws ten other codes", () => wire.command("samples").catch(failed)));
  const group = make("div", {className: "samples"});
  section.body.append(group);
  const pictures = Array.from({length: SHOWN}, (_, i) => {
    return picture(group, {label: `New picture ${i + 1}`, color: "--orange"});
  });
  section.element.hidden = true;

  return {
    element: section.element,
    events: {
      state({settings}) { section.element.hidden = settings.kind !== "variational"; },
      samples(data) {
        const bytes = data.pictures?.data;
        pictures.forEach((one, i) => one.set(bytes ? bytes.subarray(i * SIZE, (i + 1) * SIZE) : null));
      },
    },
    destroy() {
      pictures.forEach((one) => one.destroy());
      section.destroy();
    },
  };
}
