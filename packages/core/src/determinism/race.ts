/**
 * `Promise.race` and `Promise.any` inside workflows: a hook that loses keeps its payload for the next await. The language
 * tells a thenable nothing of the race that it is in, so the two functions themselves have to.
 */
import type { Lookup } from "./context.ts";

/** Something that gives each of its values once, to whoever awaits it. Known by the method's name in any copy of this package. */
export interface Contender {
  /** Takes part in a race without taking anything. */
  "perdure.contend"(): Contention;
}

/** One contender's part in one race. */
export interface Contention {
  /** Resolves as soon as there is a value. */
  readonly offer: Promise<Offer>;
  /** The race is over. */
  withdraw(): void;
}

/** A value that is taken if it wins. */
export interface Offer {
  readonly "perdure.offer": true;
  readonly value: unknown;
  accept(): void;
}

type Racing = (this: PromiseConstructor, values: Iterable<unknown>) => Promise<unknown>;

/** `Promise.race` or `Promise.any` over `original`. Outside workflows, and without contenders, that one. */
export function guardRace(original: Racing, lookup: Lookup): Racing {
  const guarded: Racing = function (values) {
    const plain = (): Promise<unknown> => Reflect.apply(original, this, [values]);
    if (lookup() === undefined || typeof values?.[Symbol.iterator] !== "function") return plain();
    const contentions: Contention[] = [];
    const entries = Array.from(values, (value) => {
      if (!isContender(value)) return value;
      const contention = value["perdure.contend"]();
      contentions.push(contention);
      return contention.offer;
    });
    const outcome: Promise<unknown> = Reflect.apply(original, this, [entries]);
    if (contentions.length === 0) return outcome;
    const withdraw = (): void => {
      for (const contention of contentions) contention.withdraw();
    };
    return outcome.then(
      (won) => {
        withdraw();
        if (!isOffer(won)) return won;
        won.accept();
        return won.value;
      },
      (error: unknown) => {
        withdraw();
        throw error;
      },
    );
  };
  const { name, length } = original;
  return Object.defineProperties(guarded, {
    name: { value: name, configurable: true },
    length: { value: length, configurable: true },
  });
}

function isContender(value: unknown): value is Contender {
  return typeof value === "object" && value !== null && "perdure.contend" in value;
}

function isOffer(value: unknown): value is Offer {
  return typeof value === "object" && value !== null && "perdure.offer" in value;
}
