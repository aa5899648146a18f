/**
 * What one call of a verb remembers while other runs are getting the names that its runs ask for. A run asks for all its names
 * at once. Where somebody else is getting one of them, it gives back the others, and from then on asks for one after the other
 * in their order: whoever waits has only names before the one for which it waits, so no two wait for each other.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

// An undecided claim is given so many chances, each a pause of at most so many milliseconds.
const CHANCES = 8;
const PAUSE = 8;

/** A name that a run asks for. */
interface Wanted {
  readonly runId: string;
  readonly name: string;
}

export class Contest {
  readonly #chances = new Map<string, number>();
  readonly #oneByOne = new Set<string>();

  /** Whether these claims on a name have had their chances; this is one. */
  isOver(name: string, chain: Buffer): boolean {
    const key = `${chain.toString("latin1")} ${name}`;
    const chances = this.#chances.get(key) ?? 0;
    this.#chances.set(key, chances + 1);
    return chances >= CHANCES;
  }

  /** Which names of a run are asked for at once, and which then. */
  turnsOf<T extends Wanted>(names: readonly T[]): T[][] {
    const [first] = names;
    if (first === undefined) return [];
    if (!this.#oneByOne.has(first.runId)) return [[...names]];
    return [...names].sort((a, b) => (a.name < b.name ? -1 : 1)).map((one) => [one]);
  }

  /** Whether a run that has to wait gives back what it has: it has asked for several names at once. */
  isTangled(names: readonly Wanted[]): boolean {
    const [first] = names;
    if (names.length < 2 || first === undefined || this.#oneByOne.has(first.runId)) return false;
    this.#oneByOne.add(first.runId);
    return true;
  }

  /** Leaves the others a moment. */
  pause(): Promise<void> {
    return delay(randomInt(1, PAUSE));
  }
}
