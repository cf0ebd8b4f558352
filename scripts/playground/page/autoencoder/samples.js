// New pictures under the test digits: what a variational net makes of codes that it draws. Other kinds have none.

import {button, make} from "../controls.js";
import {watchWith} from "../panel.js";
import {picture, SIZE} from "./parts.js";

const SHOWN = 10;
const NOTE = "New pictures: no picture stands behind them, the net decodes codes that it draws from a normal "
  + "distribution.";

export function create(wire, parent, {failed}) {
  const others = button("Draw others", "Draws ten other codes", () => wire.command("samples").catch(failed));
  const head = make("div", {className: "digits-new-head"}, make("p", {textContent: NOTE}), others);
  const group = make("div", {className: "digits-new-pictures"});
  const element = make("div", {className: "digits-new", hidden: true}, head, group);
  parent.append(element);
  const pictures = Array.from({length: SHOWN}, (_, i) => {
    return picture(group, {label: `New picture ${i + 1}`, color: "--orange"});
  });
  const unwatch = watchWith(element, ["samples"]);

  return {
    element,
    events: {
      state({settings}) { element.hidden = settings.kind !== "variational"; },
      samples(data) {
        const bytes = data.pictures?.data;
        pictures.forEach((one, i) => one.set(bytes ? bytes.subarray(i * SIZE, (i + 1) * SIZE) : null));
      },
    },
    destroy() {
      pictures.forEach((one) => one.destroy());
      unwatch();
      element.remove();
    },
  };
}
