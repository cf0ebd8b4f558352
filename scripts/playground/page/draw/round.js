/** Round numbers for the ends of axes. */

const LEADS = [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10]; // half of them is short, too

/** The least of them that is not under the value; 0 if that is not positive. */
export function roundUp(value) {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return LEADS.find((lead) => lead * power >= value * (1 - 1e-9)) * power;
}
