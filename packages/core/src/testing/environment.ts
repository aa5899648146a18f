import type { Run } from "../api/run.ts";
import { configure, setClock, shutdown } from "../api/runtime.ts";
import { systemSetTimeout } from "../clock.ts";
import { type Length, lengthMs } from "../define/retry-policy.ts";
import { EngineWorker } from "../engine/worker.ts";
import type { WorkerOptions } from "../engine/worker-options.ts";
import { ReplayDivergenceError, WorkflowRuntimeError } from "../errors/index.ts";
import type { LogFields, Logger } from "../logger.ts";
import { resolveLogger } from "../logger-choice.ts";
import { checkOptionNames } from "../option-names.ts";
import { outside } from "../outside.ts";
import { decodeError } from "../serialization/index.ts";
import { isTerminal, type RunRecord, type World } from "../world/index.ts";
import { MemoryState } from "./memory-state.ts";
import { memoryWorld } from "./memory-world.ts";
import { stubStep } from "./stub-step.ts";
import { type Accident, type Caller, testedWorld, type WorldVerb } from "./tested-world.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A World, a worker and a clock for one test, to which the functions of `perdure/api` belong until it is closed. */

/** Options of {@link testEnvironment}. */
export interface TestEnvironmentOptions
  extends Pick<WorkerOptions, "alwaysReplay" | "concurrency" | "strictReplay" | "logger"> {
  /** Where the runs are, such as `sqliteWorld({ path })`; left open. It must go by its callers' clock. Default: a new World in memory. */
  readonly world?: World;
  /** The time at which the test begins. Default 2026-01-01, midnight in UTC. */
  readonly startAt?: Date;
}

/** What {@link testEnvironment} makes. */
export interface TestEnvironment extends AsyncDisposable {
  readonly world: World;
  /** The time of the engine, the runs and their workflows. It stands still until something below moves it. */
  readonly clock: VirtualClock;
  /**
   * What a run returns, or throws. Whenever nothing is under way, time moves to the next wake-up.
   *
   * @throws {ReplayDivergenceError} if its code does not follow its journal
   * @throws {WorkflowRuntimeError} if the run waits for something that time does not bring, such as a hook
   */
  result<T>(run: Run<T>): Promise<T>;
  /** Moves time to the next wake-up of a run: a sleep, a retry, a timeout of a step. False, and no move, if there is none. */
  skip(): Promise<boolean>;
  /** Moves time on by a length such as `"3 days"`, or by milliseconds; what becomes due on the way happens at its own time. */
  advance(length: Length): Promise<void>;
  /** Resolves when all has happened that happens without waiting. Bodies of steps that are under way are not waited for. */
  settle(): Promise<void>;
  /** {@link stubStep}, until the environment is closed. */
  stub<Args extends unknown[], Result>(
    step: (...args: Args) => Promise<Result>,
    body: (...args: Args) => Result | Promise<Result>,
  ): () => void;
  /**
   * Ends the worker as `kill -9` would, here and now: what it has under way comes to nothing. Another one takes its runs over, as
   * after the end of their leases.
   */
  kill(): Promise<void>;
  /**
   * Lets a call of the World have an accident: the next one of the worker, or the one after `skip` of them.
   *
   * @param verb such as `"commit"`, `"claim"` or `"createRuns"`
   */
  accident(verb: WorldVerb, accident: Accident, options?: { readonly skip?: number }): void;
  /** Closes the worker, and gives the process back as it was. */
  close(): Promise<void>;
}

/** The only process of a test that may be killed. */
interface Process extends Caller {
  readonly worker: EngineWorker;
}

const DAY = 86_400_000;
/** A clock stands still for its runs: without leases and polls to the second, a month is a few timers and not a million. */
const LONG = { leaseTtl: DAY, pollInterval: DAY } as const;
/** So long in real time a step that is under way is waited for before time moves on without it. */
const PATIENCE = 1000;
/** Nobody sleeps longer. */
const LONGEST_SKIP = 2000 * DAY;

/** The environment that is open. */
let current: TestEnvironment | undefined;

/**
 * Makes an environment for one test: a World in memory of its own, a worker, and virtual time. Until it is closed, `start`, `getRun`,
 * `resumeHook` and the others act on it. One at a time in a process.
 *
 * @throws {WorkflowRuntimeError} if another one is open
 * @example
 * ```ts
 * await using t = await testEnvironment();
 * t.stub(createCharge, async () => ({ id: "ch_1" }));
 * const run = await start(chargeCustomer, ["cus_1", 4200]);
 * console.log(await t.result(run));
 * ```
 */
export async function testEnvironment(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
  checkOptionNames<TestEnvironmentOptions>("testEnvironment()", options, {
    world: true,
    startAt: true,
    alwaysReplay: true,
    concurrency: true,
    strictReplay: true,
    logger: true,
  });
  if (current !== undefined) {
    throw new WorkflowRuntimeError("testEnvironment(): another one is open in this process. Close it first.");
  }
  const environment = new Environment(options);
  current = environment;
  try {
    await environment.open();
  } catch (error) {
    await environment.close();
    throw error;
  }
  return environment;
}

class Environment implements TestEnvironment {
  readonly world: World;
  readonly clock: VirtualClock;
  readonly #options: TestEnvironmentOptions;
  /** The store, if it is ours. */
  readonly #state: MemoryState | null;
  readonly #store: World;
  readonly #processes: Process[] = [];
  readonly #stubbed: Set<() => void> = new Set();
  readonly #accidents: { readonly verb: WorldVerb; readonly accident: Accident; left: number }[] = [];
  /** Runs that did not follow their journals. */
  readonly #diverged: Map<string, unknown> = new Map();
  /** Kills that are not over. */
  #ending: Promise<void> = Promise.resolve();
  #calls = 0;
  #writes = 0;
  #closing: Promise<void> | undefined;

  constructor(options: TestEnvironmentOptions) {
    const { world, startAt } = options;
    this.#options = options;
    this.clock = virtualClock(startAt === undefined ? {} : { start: startAt.getTime() });
    this.#state = world === undefined ? new MemoryState() : null;
    this.#store = world ?? memoryWorld({ ...(this.#state !== null && { state: this.#state }) });
    this.world = testedWorld(
      this.#store,
      this.#caller({ onKilled() {} }, () => undefined),
    );
  }

  async open(): Promise<void> {
    configure({ world: this.world, clock: this.clock, worker: false });
    await this.world.open();
    await this.#startWorker();
  }

  async result<T>(run: Run<T>): Promise<T> {
    for (;;) {
      await this.settle();
      const [row] = await this.#store.getRuns([run.runId]);
      if (this.#diverged.has(run.runId)) throw this.#diverged.get(run.runId);
      if (row?.status === "diverged") throw decodeError(row.error ?? new Uint8Array());
      if (row === undefined || row === null || isTerminal(row.status)) return await run.returnValue;
      if (this.#busy) await turn();
      else if (!(await this.skip())) {
        throw new WorkflowRuntimeError(
          `Workflow run "${run.runId}" (${row.status}) waits for something that time does not bring, such as a hook. Send it before ` +
            "you ask for the result; run.events() tells what the run has done.",
        );
      }
    }
  }

  async skip(): Promise<boolean> {
    await this.settle();
    for (let waited = 0; this.#busy && waited < PATIENCE; waited++) await turn();
    await this.settle();
    if (!(await this.#mayWake())) return false;
    const [before, until] = [this.#writes, this.clock.now() + LONGEST_SKIP];
    while (this.#writes === before && this.clock.now() < until) {
      await this.clock.advanceToNext();
      await this.settle();
    }
    return this.#writes !== before;
  }

  async advance(length: Length): Promise<void> {
    const until = this.clock.now() + lengthMs(length, "advance()");
    await this.settle();
    await this.clock.advance(until - this.clock.now());
    await this.settle();
  }

  async settle(): Promise<void> {
    await this.clock.advance(0);
    while (this.#calls > 0) {
      await turn();
      await this.clock.advance(0);
    }
  }

  stub<Args extends unknown[], Result>(
    step: (...args: Args) => Promise<Result>,
    body: (...args: Args) => Result | Promise<Result>,
  ): () => void {
    const restore = stubStep(step, body);
    const remove = (): void => {
      this.#stubbed.delete(remove);
      restore();
    };
    this.#stubbed.add(remove);
    return remove;
  }

  async kill(): Promise<void> {
    const process = this.#processes.at(-1);
    if (process !== undefined && !process.dead) {
      process.dead = true;
      this.#succeed(process);
    }
    await this.#ending;
  }

  accident(verb: WorldVerb, accident: Accident, { skip = 0 }: { readonly skip?: number } = {}): void {
    if (typeof this.#store[verb] !== "function")
      throw new TypeError(`accident(): a World has no verb "${verb}".`);
    this.#accidents.push({ verb, accident, left: skip });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#ending;
    this.#accidents.length = 0;
    for (const remove of this.#stubbed) remove();
    for (const process of this.#processes) {
      // A dead one still has its share of the globals.
      process.dead = false;
      let closed = false;
      void process.worker.close({ timeout: 0 }).finally(() => {
        closed = true;
      });
      for (await this.settle(); !closed; await this.settle()) await this.clock.advanceToNext();
    }
    current = undefined;
    await shutdown();
    setClock(this.world, undefined);
  }

  /** Whether bodies of steps are under way. */
  get #busy(): boolean {
    const process = this.#processes.at(-1);
    return process !== undefined && process.worker.health().slots.inUse > 0;
  }

  /** Whether a run is due at some time. */
  async #mayWake(): Promise<boolean> {
    const open: RunRecord[] = [];
    let cursor: string | null = null;
    do {
      const query = { statuses: ["pending", "running", "diverged"], limit: 200 } as const;
      const page: Awaited<ReturnType<World["listRuns"]>> = await this.#store.listRuns({
        ...query,
        ...(cursor !== null && { cursor }),
      });
      open.push(...page.runs);
      cursor = page.cursor;
    } while (cursor !== null);
    return open.some(({ dueAt }) => dueAt !== null);
  }

  async #startWorker(): Promise<void> {
    const { alwaysReplay, concurrency, strictReplay, logger } = this.#options;
    const caller = this.#caller({ onKilled: () => this.#succeed(process) }, (verb) => this.#accidentOf(verb));
    const world = testedWorld(this.#store, caller);
    setClock(world, this.clock);
    const worker = new EngineWorker({
      world,
      clock: this.clock,
      random: () => 0.5,
      logger: this.#logger(resolveLogger(logger ?? "silent")),
      ...(this.#state !== null && LONG),
      ...(alwaysReplay !== undefined && { alwaysReplay }),
      ...(concurrency !== undefined && { concurrency }),
      ...(strictReplay !== undefined && { strictReplay }),
    });
    const process: Process = Object.assign(caller, { worker });
    this.#processes.push(process);
    await worker.start();
  }

  /** Another process takes over what a dead one held. */
  #succeed({ worker }: Process): void {
    this.#ending = this.#ending.then(() =>
      outside(async () => {
        if (this.#state === null) await this.clock.advance(worker.leaseTtl);
        else
          for (const run of this.#state.runs.values()) {
            if (run.row.owner === worker.id) this.#state.setRow(run, { dueAt: this.clock.now() });
          }
        await this.#startWorker();
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

/** A millisecond of real time, in which files and sockets get on. */
function turn(): Promise<void> {
  return new Promise((resolve) => systemSetTimeout(resolve, 1));
}
