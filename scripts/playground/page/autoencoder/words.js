/**
 * What the pictures are called: the host may have digits (MNIST), clothes (Fashion-MNIST), or a person's own.
 *
 *   hasDigits(wire)          whether the pictures that are shown are digits
 *   thing(wire)              "digit" or "picture"
 *   labelWord(wire, label)   what a label says: "7", or "sneaker"
 */

const CLOTHES = [
  "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
];

const setOf = (wire) => wire.last.state?.data ?? wire.about?.data ?? "MNIST";

export const hasDigits = (wire) => setOf(wire) === "MNIST" && wire.last.state?.settings.data !== "own";

export const thing = (wire) => (hasDigits(wire) ? "digit" : "picture");

export const labelWord = (wire, label) => (setOf(wire) === "Fashion-MNIST" && CLOTHES[label]) || String(label);
