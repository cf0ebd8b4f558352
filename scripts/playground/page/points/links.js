/**
 * The links of the net: an SVG layer of curves, whose width and colour show the weight.
 *
 *   const l = links(parent, {chosen(layer, from, to, element), hovered(link | null, event)});
 *   l.build([{layer, from, to, x0, y0, x1, y1}, ...], width, height)     layers and units count from 1
 *   l.weights(layers)            [{weight, bias}, ...] as the host sends them
 *   l.light(f | null)            only links for which f(link) holds stay strong
 */

const SVG = "http://www.w3.org/2000/svg";

function path(className) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", className);
  return element;
}

const bend = ({x0, y0, x1, y1}) => {
  const middle = (x0 + x1) / 2;
  return `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
};

/** 0.5 for nothing to 9 for what is large; half of it is reached at 1. */
const widthOf = (weight) => Math.round((0.5 + (8.5 * Math.abs(weight)) / (1.2 + Math.abs(weight))) * 4) / 4;

class Links {
  constructor(parent, listeners) {
    this.listeners = listeners;
    this.all = new Map();
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("class", "links");
    this.svg.setAttribute("aria-hidden", "true");
    this.seen = this.svg.appendChild(document.createElementNS(SVG, "g"));
    this.hits = this.svg.appendChild(document.createElementNS(SVG, "g"));
    this.svg.addEventListener("click", (event) => {
      const link = this.of(event);
      if (link) this.listeners.chosen(link, event.target);
    });
    this.svg.addEventListener("pointermove", (event) => this.hover(this.of(event), event));
    this.svg.addEventListener("pointerleave", (event) => this.hover(null, event));
    parent.append(this.svg);
  }

  of(event) { return this.all.get(event.target.dataset?.key) ?? null; }

  hover(link, event) {
    if (this.over !== link) {
      this.over?.line.classList.remove("over");
      link?.line.classList.add("over");
      this.over = link;
    }
    this.listeners.hovered(link, event);
  }

  build(list, width, height) {
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    const kept = new Map();
    for (const one of list) {
      const key = `${one.layer}-${one.from}-${one.to}`;
      const link = this.all.get(key) ?? this.create(key);
      Object.assign(link, one);
      const d = bend(one);
      if (link.d !== d) {
        link.d = d;
        link.line.setAttribute("d", d);
        link.hit.setAttribute("d", d);
      }
      kept.set(key, link);
    }
    for (const [key, link] of this.all) {
      if (kept.has(key)) continue;
      link.line.remove();
      link.hit.remove();
    }
    this.all = kept;
  }

  create(key) {
    const link = {line: path("link-line"), hit: path("link-hit"), width: null, sign: null, value: 0};
    link.hit.dataset.key = key;
    this.seen.append(link.line);
    this.hits.append(link.hit);
    return link;
  }

  weights(layers) {
    for (const link of this.all.values()) {
      const weight = layers[link.layer - 1]?.weight;
      if (!weight) continue;
      const value = weight.data[(link.from - 1) * weight.shape[1] + link.to - 1];
      if (value === undefined || value === link.value) continue;
      this.paint(link, value);
    }
  }

  paint(link, value) {
    link.value = value;
    link.hit.dataset.value = String(value);
    const width = widthOf(value);
    if (width !== link.width) {
      link.width = width;
      link.line.style.strokeWidth = `${width}px`;
    }
    const sign = value < 0 ? "negative" : "positive";
    if (sign === link.sign) return;
    if (link.sign) link.line.classList.remove(link.sign);
    link.line.classList.add(sign);
    link.sign = sign;
  }

  light(holds) {
    this.svg.classList.toggle("dimmed", Boolean(holds));
    for (const link of this.all.values()) link.line.classList.toggle("lit", Boolean(holds?.(link)));
  }
}

export const links = (parent, listeners) => new Links(parent, listeners);
