/** What a program may give, by a plain reading of it: no engine, no journal. */

/** Ends in an error. */
export const THROWS: unique symbol = Symbol("throws");
/** Anything: only what the run's own journal says is known. */
export const UNKNOWN: unique symbol = Symbol("unknown");
/** `child cancelled`, where the child is that of the run before. */
export const OF_ANOTHER: unique symbol = Symbol("of another");

export type Alternative =
  | string
  | null
  | { readonly list: readonly Alternatives[] }
  | typeof THROWS
  | typeof OF_ANOTHER
  | typeof UNKNOWN;
export type Alternatives = readonly Alternative[];

/** All of them, or the error of one. */
export function together(children: readonly Alternatives[]): Alternatives {
  const list: Alternatives[] = children.map((child) => child.filter((one) => one !== THROWS));
  const throws: Alternatives = children.some((child) => child.includes(THROWS)) ? [THROWS] : [];
  return list.some((child) => child.length === 0) ? throws : [{ list }, ...throws];
}
