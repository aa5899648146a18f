import { WorldError } from "@perdure/core/errors";
import { type EngineLaw, type Fault, latency } from "./faults.ts";
import type { SimProcess } from "./process.ts";
import type { Random } from "./random.ts";
import type { Lane, Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/**
 * One call of the World on its way from a process to the store and back. Requests and answers take time and get lost,
 * and the process may die or freeze at the await, before or after the effect.
 */

/** How bad the network is. */
export interface NetworkConfig {
  /** Probability of a fault at one call of the World. */
  readonly callFaults: number;
  readonly leaseTtl: number;
  /** How many batches of one worker may be under way. */
  readonly commitsInFlight: number;
}

/** What a {@link Network} is made of. */
export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly random: Random;
  readonly config: NetworkConfig;
  /** Whether faults of this kind happen now. */
  readonly on: (fault: Fault) => boolean;
  /** A law was broken, or the simulation itself is wrong. */
  readonly fail: (error: unknown) => void;
  /** Makes what `fail` is called with when the engine broke a law. */
  readonly lawBroken: (law: EngineLaw, message: string, runId: string | null) => Error;
  readonly kill: (process: SimProcess) => void;
  readonly freeze: (process: SimProcess, ms: number) => void;
}

/** One call of the World. */
export interface Call<T> {
  readonly verb: string;
  readonly runs: readonly string[];
  /** For the trace. */
  readonly details: (result: T | undefined) => string;
  readonly effect: () => Promise<T>;
  /** Called with what the process hears, in the process. */
  readonly onAnswer?: (result: T) => void;
}

type Fate =
  | "normal"
  | "request lost"
  | "answer lost"
  | "died before sending"
  | "died after sending"
  | "froze before sending"
  | "froze after sending";

const FATES: readonly (readonly [Fault, Fate])[] = [
  ["lost", "request lost"],
  ["lost", "answer lost"],
  ["kill", "died before sending"],
  ["kill", "died after sending"],
  ["freeze", "froze before sending"],
  ["freeze", "froze after sending"],
];

/** Verbs that may arrive twice without breaking a law. */
const REPEATABLE: ReadonlySet<string> = new Set([
  "createRuns",
  "renew",
  "commit",
  "deliver",
  "writeRecords",
  "appendChunks",
]);

/** What is between the processes and the store. */
export class Network {
  readonly options: NetworkOptions;
  /** Where effects happen: never frozen, never dead. */
  readonly lane: Lane = { name: "store", state: "running" };

  constructor(options: NetworkOptions) {
    this.options = options;
  }

  /** How long something is on its way, in ms. */
  travel(): number {
    const { random, on, config } = this.options;
    return latency(random, on("latency"), config.leaseTtl);
  }

  call<T>(process: SimProcess, call: Call<T>): Promise<T> {
    const { scheduler, random, config, on, kill, freeze } = this.options;
    const fate = this.#fate(process);
    if (fate !== "normal") this.#note(process, `${call.verb}: ${fate}`, call, undefined);
    return new Promise<T>((resolve, reject) => {
      const lost = (): void => {
        scheduler.at(scheduler.now + this.travel(), process, () => {
          reject(new WorldError(`simulated: ${call.verb}, ${fate}`));
        });
      };
      const send = (answer: boolean): number => {
        const at = scheduler.now + this.travel();
        scheduler.at(at, this.lane, () => void this.#perform(process, call, answer ? resolve : null));
        return at;
      };
      const frozen = random.int(1, config.leaseTtl * 3);
      switch (fate) {
        case "normal": {
          const at = send(true);
          if (!REPEATABLE.has(call.verb) || !on("duplicate") || !random.chance(config.callFaults)) return;
          scheduler.at(at + this.travel(), this.lane, () => void this.#perform(process, call, null));
          return;
        }
        case "request lost":
          return lost();
        case "answer lost":
          send(false);
          return lost();
        case "died before sending":
          return scheduler.turn(this.lane, () => kill(process));
        case "died after sending":
          send(false);
          return scheduler.turn(this.lane, () => kill(process));
        case "froze before sending":
          scheduler.turn(this.lane, () => freeze(process, frozen));
          scheduler.at(scheduler.now + frozen, process, () => void send(true));
          return;
        case "froze after sending":
          send(true);
          return scheduler.turn(this.lane, () => freeze(process, frozen));
      }
    });
  }

  #fate(process: SimProcess): Fate {
    const { random, config, on } = this.options;
    if (!random.chance(config.callFaults)) return "normal";
    const [fault, fate] = random.pick(FATES);
    return on(fault) && (process.mortal || fault === "lost") ? fate : "normal";
  }

  async #perform<T>(
    process: SimProcess,
    call: Call<T>,
    resolve: ((result: T) => void) | null,
  ): Promise<void> {
    const { scheduler, fail } = this.options;
    try {
      const result = await call.effect();
      this.#note(process, resolve === null ? `${call.verb} (unheard)` : call.verb, call, result);
      if (resolve === null) return;
      scheduler.at(scheduler.now + this.travel(), process, () => {
        call.onAnswer?.(result);
        resolve(result);
      });
    } catch (error) {
      this.#note(process, `${call.verb} broke a law`, call, undefined);
      fail(error);
    }
  }

  #note<T>(process: SimProcess, what: string, call: Call<T>, result: T | undefined): void {
    const { scheduler, trace } = this.options;
    for (const runId of call.runs) {
      trace.add(scheduler.now, process.name, what, runId, () => call.details(result));
    }
  }
}
