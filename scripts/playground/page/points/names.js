/** Words of the tab "Points": how features and classes are written. */

export const FEATURES = {
  x1: "x₁", x2: "x₂", x1sq: "x₁²", x2sq: "x₂²", x1x2: "x₁x₂", sinx1: "sin x₁", sinx2: "sin x₂",
};

export const RANGE = [-6, 6, -6, 6];

/** The class of a label: which of two (-1, 1) or three (0, 1, 2). */
export const classOf = (label, classes) => (classes === 3 ? Math.round(label) : label > 0 ? 1 : 0);

/** The labels that a class has on the wire. */
export const labelOf = (index, classes) => (classes === 3 ? index : index ? 1 : -1);

export const CLASS_NAMES = ["orange", "blue", "plum"];
