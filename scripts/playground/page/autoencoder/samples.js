/**
 * The line of new pictures under the test digits: what a variational net makes of codes that it draws. Other kinds of
 * net have none.
 *
 *   const line = newPictures(section, wire)     {events: {samples}, others(), destroy()}
 */

import {make} from "../controls.js";
import {strip} from "./parts.js";

const NOTE = "No picture stands behind the new ones: the net decodes codes that it draws from a normal distribution.";

export function newPictures(section, wire) {
  const element = make("div", {className: "digits-new", hidden: true});
  section.body.append(element);
  const line = strip(element, {
    caption: "new", color: "--orange", label: "New pictures: what the net makes of codes that are drawn",
  });
  element.append(make("p", {className: "digits-new-note", textContent: NOTE}));

  return {
    others: () => (element.hidden ? Promise.resolve() : wire.command("samples")),
    destroy: line.destroy,
    events: {
      samples({pictures}) {
        element.hidden = !pictures;
        if (pictures) line.set(pictures.data);
      },
    },
  };
}
