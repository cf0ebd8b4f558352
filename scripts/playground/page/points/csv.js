/**
 * Points from a text of lines "x,y,label".
 *
 *   readPoints(text) -> {list: [[x, y, label], ...], own_labels: "two" | "three" | "values"}
 *
 * The first line may be a heading; empty lines do not count; commas, semicolons or tabs part the fields. x and y lie
 * from -6 to 6. Labels -1 and 1 (or 0 and 1) are two classes, 0, 1, 2 three, other numbers from -1 to 1 values. A wrong
 * line raises words with its number; nothing is taken then.
 */

const MOST = 2000;

function fields(line) {
  const mark = line.includes("\t") ? "\t" : line.includes(";") ? ";" : ",";
  return line.split(mark).map((part) => part.trim().replace(/^"(.*)"$/, "$1"));
}

const numeric = (text) => text !== "" && Number.isFinite(Number(text));

function readLine(line, at) {
  const parts = fields(line);
  const shown = line.length > 40 ? `${line.slice(0, 40)}…` : line;
  if (parts.length !== 3 || !parts.every(numeric)) {
    throw new Error(`Line ${at}: expected three numbers x,y,label, got "${shown}". Nothing was changed.`);
  }
  const point = parts.map(Number);
  const outside = ["x", "y"].find((_, i) => Math.abs(point[i]) > 6);
  if (outside) {
    throw new Error(`Line ${at}: expected ${outside} from -6 to 6, got "${shown}". Nothing was changed.`);
  }
  return point;
}

/** What the labels mean; lines: the line number of each point. */
function meaning(list, lines) {
  const only = (...allowed) => list.every(([, , label]) => allowed.includes(label));
  if (only(-1, 1)) return {list, own_labels: "two"};
  if (only(0, 1)) return {list: list.map(([x, y, label]) => [x, y, label ? 1 : -1]), own_labels: "two"};
  if (only(0, 1, 2)) return {list, own_labels: "three"};
  const values = list.findIndex(([, , label]) => Math.abs(label) > 1);
  if (values < 0) return {list, own_labels: "values"};
  // a 3 among 0, 1 and 2 is what is wrong, not the first 2
  const neither = list.findIndex(([, , label]) => Math.abs(label) > 1 && label !== 2);
  const wrong = neither < 0 ? values : neither;
  throw new Error(`Line ${lines[wrong]}: expected a label -1 or 1 (two classes), 0, 1 or 2 (three), or a number from `
    + `-1 to 1, got ${list[wrong][2]}. Nothing was changed.`);
}

export function readPoints(text) {
  const list = [];
  const lines = [];
  text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/).forEach((line, i) => {
    if (line.trim() === "") return;
    if (!list.length && i === 0 && !fields(line).some(numeric)) return;
    list.push(readLine(line, i + 1));
    lines.push(i + 1);
  });
  if (!list.length) throw new Error("Expected lines x,y,label, got none. Nothing was changed.");
  if (list.length > MOST) throw new Error(`Expected at most ${MOST} points, got ${list.length}. Nothing was changed.`);
  return meaning(list, lines);
}
