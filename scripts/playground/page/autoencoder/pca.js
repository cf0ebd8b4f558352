// The panel "pca": the net beside principal components, as many as its code has numbers.

import {figure, make} from "../controls.js";
import {panel} from "../panel.js";
import {strip} from "./parts.js";

export function create(wire, parent) {
  const section = panel(parent, {
    name: "pca", title: "Net against PCA", watch: ["pca"], className: "ae-pca",
    note: "Principal components of the same size: the best that can be done without activation functions.",
  });
  const original = strip(section.body, {caption: "original", label: "Test pictures", color: "--blue"});
  const net = strip(section.body, {caption: "net", label: "The net's reconstructions", color: "--orange"});
  const pca = strip(section.body, {caption: "PCA", label: "Reconstructions by principal components", color: "--ink"});
  const figures = make("div", {className: "figures"});
  section.body.append(figures);
  const size = figure(figures, "numbers each", {digits: 0});
  const netError = figure(figures, "net's squared error a pixel", {digits: 5});
  const pcaError = figure(figures, "PCA's", {digits: 5});

  return {
    element: section.element,
    events: {
      pca(data) {
        original.set(data.original.data);
        net.set(data.net.data);
        pca.set(data.pca.data);
        size.set(data.k);
        netError.set(data.net_error);
        pcaError.set(data.pca_error);
      },
    },
    destroy() {
      [original, net, pca].forEach((one) => one.destroy());
      section.destroy();
    },
  };
}
