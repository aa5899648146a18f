/**
 * How deep a stored value may be. Reading is recursive, and how much of the stack is free when a value is read, by whom and
 * where, is not known when it is written: so the limit is fixed, and far below what a fresh stack takes.
 */
import { SerializationError } from "../errors/input.ts";
import { Refusal } from "./kinds.ts";

/** The most levels of objects in a value, itself included. Class instances and maps of entries are stored as two levels each. */
export const MAX_DEPTH = 500;

/** Paths in messages show this many characters of either end. */
const PATH_END = 60;

/** Follows a writer through a value and refuses what lies too deep. */
export class DepthGuard {
  readonly #levels: Map<object, number> = new Map();
  /** Objects that the writer has entered: meeting one again leads no deeper. */
  readonly #entered: Set<object> = new Set();
  readonly #base: number;

  /** @param base the level of the whole value, where it is tried out as a part of another */
  constructor(base = 1) {
    this.#base = base;
  }

  level(object: object): number {
    return this.#levels.get(object) ?? this.#base;
  }

  enter(value: unknown): void {
    if (isReference(value)) this.#entered.add(value);
  }

  /** The child itself, or what stands in its place where it is too deep. */
  below(parent: object, child: unknown): unknown {
    if (!isReference(child) || this.#entered.has(child)) return child;
    const level = this.level(parent) + 1;
    if (level > MAX_DEPTH) return new Refusal(TOO_DEEP);
    this.#levels.set(child, level);
    return child;
  }
}

/** Functions, too: steps carry the values that they capture. */
function isReference(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

const TOO_DEEP =
  `is nested too deeply to be stored: a value may have ${MAX_DEPTH} levels. Make it flatter, such as a list of items that ` +
  "name each other by id.";

/** The error for a value that the stack or the memory did not suffice to write. */
export function tooLarge(where: string, cause: unknown): SerializationError {
  return new SerializationError(where, "is nested too deeply or too large to be stored.", { cause });
}

/** A path as messages show it: both ends, if it is long. */
export function shortPath(path: string): string {
  return path.length <= 2 * PATH_END ? path : `${path.slice(0, PATH_END)}…${path.slice(-PATH_END)}`;
}
