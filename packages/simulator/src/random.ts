import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Every choice of a simulation comes from here. One stream per concern, so that leaving one out moves no other. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

/** The stream of a name under a seed. */
export function randomOf(seed: number, name: string): Random {
  const generator = xoroshiro128plus(hash(`${seed}/${name}`));
  const next = (): number => uniformFloat64(generator);
  return {
    next,
    int: (low, high) => uniformInt(generator, low, high),
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]) => items[uniformInt(generator, 0, items.length - 1)] as T,
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value | 0;
}
