import { createHash } from "node:crypto";
import { clearTimeout, setTimeout } from "node:timers";
import { setImmediate as turn } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import type { Stage } from "./law.ts";

/**
 * Interleaves the single store operations of several actors in an order that a seed gives. Each actor has a World of its own,
 * whose probe waits for its turn; one operation is let go at a time, once all actors wait for theirs or are done.
 */

// An actor that neither waits nor is done for so many milliseconds pauses, or waits for another: the others go on.
const SLEEPING = 60;
// The same for one that waits already for its turn with another operation of a verb that has several at a time.
const SEVERAL = 4;
// Where nobody asks for an operation for so many milliseconds, or somebody asks again and again, it has no end.
const LONGEST = 20_000;
const OPERATIONS = 5_000;

/** What one actor does with its World. */
export type ActorsPart<T> = (world: World) => Promise<T>;

/** The actors of a case. */
export class Interleaver {
  readonly #worlds: World[] = [];
  #course: Course | undefined;

  /** Opens a World on the stage for each of so many actors. */
  static async on(stage: Stage, actors: number): Promise<Interleaver> {
    const made = new Interleaver();
    for (let actor = 0; actor < actors; actor++) {
      const waitsFor = (operation: string) => made.#course?.turnOf(actor, operation);
      const world = stage.synchronous ? verbByVerb(await stage.open(), waitsFor) : await stage.open(waitsFor);
      made.#worlds.push(world);
    }
    return made;
  }

  /** The operations of the last interleaving in their order, each with its actor's number. */
  get order(): readonly string[] {
    return this.#course?.order ?? [];
  }

  /**
   * Has each actor do its part, in the interleaving of a seed; gives what they give. Rejects with the first failure, once
   * all are done, and where they do not come to an end.
   */
  async play<T extends readonly unknown[]>(
    seed: number,
    parts: readonly [...{ [Actor in keyof T]: ActorsPart<T[Actor]> }],
  ): Promise<T> {
    this.#course = new Course(seed);
    const acts = parts.map((part, actor) => () => part(this.#worlds[actor] as World));
    return (await this.#course.run(acts)) as unknown as T;
  }
}

interface Waiting {
  readonly actor: number;
  readonly operation: string;
  readonly go: () => void;
  readonly stop: (error: Error) => void;
}

/** One interleaving. Before and after it, operations do not wait. */
class Course {
  readonly order: string[] = [];
  readonly #draw: (limit: number) => number;
  // Of sixteen operations so many are the next of the actor that had the one before: some faults need one that is far ahead.
  readonly #staying: number;
  /** Actors that are not done. */
  readonly #playing = new Set<number>();
  /** Those of them whose operation was let go, until they ask for the next. */
  readonly #underWay = new Set<number>();
  #waiting: Waiting[] = [];
  #last: number | undefined;
  #changed: () => void = () => {};
  #stopped: Error | undefined;

  constructor(seed: number) {
    this.#draw = drawing(seed);
    this.#staying = [0, 8, 12, 15][this.#draw(4)] ?? 0;
  }

  turnOf(actor: number, operation: string): Promise<void> | undefined {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#playing.size === 0) return undefined;
    return new Promise((go, stop) => {
      this.#waiting.push({ actor, operation, go, stop });
      this.#underWay.delete(actor);
      this.#changed();
    });
  }

  async run(acts: readonly (() => Promise<unknown>)[]): Promise<unknown[]> {
    for (const actor of acts.keys()) {
      this.#playing.add(actor);
      this.#underWay.add(actor);
    }
    const played = Promise.allSettled(acts.map((act, actor) => this.#play(actor, act)));
    while (await this.#isNext()) this.#letGo();
    // What a World does behind its verbs is in nobody's part.
    for (const { go } of this.#waiting.splice(0)) go();
    return (await played).map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  async #play(actor: number, act: () => Promise<unknown>): Promise<unknown> {
    try {
      return await act();
    } finally {
      this.#playing.delete(actor);
      this.#underWay.delete(actor);
      this.#changed();
    }
  }

  /** Waits until an operation may be let go; false when all are done. */
  async #isNext(): Promise<boolean> {
    for (;;) {
      // An actor may ask for several operations at once.
      await turn();
      if (this.#playing.size === 0) return false;
      const somebody = this.#waiting.length > 0;
      if (somebody && this.#underWay.size === 0) return true;
      if (await this.#change(somebody ? this.#pause() : LONGEST)) continue;
      if (!somebody) this.#stop(`no actor has asked for an operation for ${LONGEST} ms`);
      this.#underWay.clear();
    }
  }

  #pause(): number {
    const waiting = new Set(this.#waiting.map(({ actor }) => actor));
    return [...this.#underWay].every((actor) => waiting.has(actor)) ? SEVERAL : SLEEPING;
  }

  /** Whether an actor asks for an operation, or is done, within so many milliseconds. */
  #change(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds, false);
      this.#changed = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #letGo(): void {
    if (this.order.length >= OPERATIONS) this.#stop(`there is no end after ${OPERATIONS} operations`);
    // Who asked first is a matter of time, and not of the seed.
    this.#waiting.sort((one, other) => one.actor - other.actor);
    const same = this.#waiting.filter(({ actor }) => actor === this.#last);
    const candidates = this.#draw(16) < this.#staying && same.length > 0 ? same : this.#waiting;
    const next = candidates[this.#draw(candidates.length)] as Waiting;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#underWay.add(next.actor);
    this.#last = next.actor;
    this.order.push(`${next.actor} ${next.operation}`);
    next.go();
  }

  #stop(why: string): never {
    this.#stopped = new Error(`${why}, and not done are the actors ${[...this.#playing].join(", ")}`);
    for (const { stop } of this.#waiting.splice(0)) stop(this.#stopped);
    throw this.#stopped;
  }
}

/** Numbers from 0 to below a limit, the same ones for the same seed. */
function drawing(seed: number): (limit: number) => number {
  let drawn = 0;
  return (limit) => {
    drawn++;
    return createHash("sha256").update(`${seed} ${drawn}`).digest().readUInt32BE(0) % limit;
  };
}

/** A World whose operations cannot wait: each verb waits as a whole. */
function verbByVerb(world: World, waitsFor: (operation: string) => Promise<void> | undefined): World {
  return new Proxy(world, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        await waitsFor(String(name));
        return Reflect.apply(member, target, args);
      };
    },
  });
}
