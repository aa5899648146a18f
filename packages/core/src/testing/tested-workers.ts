import { setClock } from "../api/runtime.ts";
import { EngineWorker } from "../engine/worker.ts";
import type { WorkerOptions } from "../engine/worker-options.ts";
import { ReplayDivergenceError } from "../errors/index.ts";
import type { LogFields, Logger } from "../logger.ts";
import { resolveLogger } from "../logger-choice.ts";
import { outside } from "../outside.ts";
import type { World } from "../world/index.ts";
import type { MemoryState } from "./memory-state.ts";
import { type Accident, type Caller, testedWorld, type WorldVerb } from "./tested-world.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** The worker of a test, which may be killed and is followed by another one, and the accidents of its calls of the World. */

/** What the workers of a test have in common. */
export interface TestedWorkersOptions
  extends Pick<WorkerOptions, "alwaysReplay" | "concurrency" | "strictReplay" | "logger"> {
  readonly store: World;
  /** The store, where it is the environment's own. */
  readonly state: MemoryState | null;
  readonly clock: VirtualClock;
}

/** The only process of a test that may be killed. */
interface Process extends Caller {
  readonly worker: EngineWorker;
}

const DAY = 86_400_000;
/** A clock stands still for its runs: without leases and polls to the second, a month is a few timers and not a million. */
const LONG = { leaseTtl: DAY, pollInterval: DAY } as const;

export class TestedWorkers {
  /** For whoever calls the store beside the workers. */
  readonly world: World;
  readonly #options: TestedWorkersOptions;
  readonly #processes: Process[] = [];
  readonly #accidents: { readonly verb: WorldVerb; readonly accident: Accident; left: number }[] = [];
  /** Runs that did not follow their journals. */
  readonly #diverged: Map<string, unknown> = new Map();
  /** Kills that are not over. */
  #ending: Promise<void> = Promise.resolve();
  #calls = 0;
  #writes = 0;

  constructor(options: TestedWorkersOptions) {
    this.#options = options;
    this.world = testedWorld(
      options.store,
      this.#caller({ onKilled() {} }, () => undefined),
    );
  }

  /** Whether calls of the store are under way. */
  get calling(): boolean {
    return this.#calls > 0;
  }

  /** How often something was written to the store. */
  get writes(): number {
    return this.#writes;
  }

  /** Whether bodies of steps are under way. */
  get busy(): boolean {
    const process = this.#processes.at(-1);
    return process !== undefined && process.worker.health().slots.inUse > 0;
  }

  /** Throws what the run was parked for, if it did not follow its journal. */
  refuseDiverged(runId: string): void {
    if (this.#diverged.has(runId)) throw this.#diverged.get(runId);
  }

  async start(): Promise<void> {
    const { store, state, clock, alwaysReplay, concurrency, strictReplay, logger } = this.#options;
    const caller = this.#caller({ onKilled: () => this.#succeed(process) }, (verb) => this.#accidentOf(verb));
    const world = testedWorld(store, caller);
    setClock(world, clock);
    const worker = new EngineWorker({
      world,
      clock,
      random: () => 0.5,
      logger: this.#logger(resolveLogger(logger ?? "silent")),
      ...(state !== null && LONG),
      ...(alwaysReplay !== undefined && { alwaysReplay }),
      ...(concurrency !== undefined && { concurrency }),
      ...(strictReplay !== undefined && { strictReplay }),
    });
    const process: Process = Object.assign(caller, { worker });
    this.#processes.push(process);
    await worker.start();
  }

  /** Ends the worker here and now. Resolves when another one has taken its runs over. */
  async kill(): Promise<void> {
    const process = this.#processes.at(-1);
    if (process !== undefined && !process.dead) {
      process.dead = true;
      this.#succeed(process);
    }
    await this.succeeded();
  }

  /** Resolves when another worker has taken over from each that was killed. */
  async succeeded(): Promise<void> {
    await this.#ending;
  }

  /** Plans an accident of a call of the worker. */
  accident(verb: WorldVerb, accident: Accident, skip: number): void {
    if (typeof this.#options.store[verb] !== "function")
      throw new TypeError(`accident(): a World has no verb "${verb}".`);
    this.#accidents.push({ verb, accident, left: skip });
  }

  /** Closes all workers; `settle` lets everything happen that happens without waiting. */
  async close(settle: () => Promise<void>): Promise<void> {
    await this.succeeded();
    this.#accidents.length = 0;
    for (const process of this.#processes) {
      // A dead one still has its share of the globals.
      process.dead = false;
      let closed = false;
      void process.worker.close({ timeout: 0 }).finally(() => {
        closed = true;
      });
      for (await settle(); !closed; await settle()) await this.#options.clock.advanceToNext();
    }
  }

  /** Another process takes over what a dead one held. */
  #succeed({ worker }: Process): void {
    const { state, clock } = this.#options;
    this.#ending = this.#ending.then(() =>
      outside(async () => {
        if (state === null) await clock.advance(worker.leaseTtl);
        else
          for (const run of state.runs.values()) {
            if (run.row.owner === worker.id) state.setRow(run, { dueAt: clock.now() });
          }
        await this.start();
      }),
    );
  }

  #caller({ onKilled }: Pick<Caller, "onKilled">, accident: Caller["accident"]): Caller {
    return {
      dead: false,
      accident,
      onKilled,
      onCall: () => {
        this.#calls++;
        return () => void this.#calls--;
      },
      onWrite: () => void this.#writes++,
    };
  }

  #accidentOf(verb: WorldVerb): Accident | undefined {
    const index = this.#accidents.findIndex((planned) => planned.verb === verb && planned.left-- === 0);
    return index < 0 ? undefined : this.#accidents.splice(index, 1)[0]?.accident;
  }

  /** Hears which runs do not follow their journals. */
  #logger(logger: Logger): Logger {
    return {
      debug: (...entry) => logger.debug(...entry),
      info: (...entry) => logger.info(...entry),
      warn: (...entry) => logger.warn(...entry),
      error: (message: string, fields?: LogFields) => {
        if (typeof fields?.runId === "string" && ReplayDivergenceError.is(fields.error)) {
          this.#diverged.set(fields.runId, fields.error);
        }
        logger.error(message, fields);
      },
    };
  }
}
