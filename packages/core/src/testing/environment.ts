import type { Run } from "../api/run.ts";
import { configure, setClock, shutdown } from "../api/runtime.ts";
import { systemSetTimeout } from "../clock.ts";
import { type Length, lengthMs } from "../define/retry-policy.ts";
import type { WorkerOptions } from "../engine/worker-options.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { checkOptionNames } from "../option-names.ts";
import { decodeError } from "../serialization/index.ts";
import { isTerminal, type RunRecord, type World } from "../world/index.ts";
import { MemoryState } from "./memory-state.ts";
import { memoryWorld } from "./memory-world.ts";
import { stubStep } from "./stub-step.ts";
import { TestedWorkers } from "./tested-workers.ts";
import type { Accident, WorldVerb } from "./tested-world.ts";
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

/** So long in real time a step that is under way is waited for before time moves on without it. */
const PATIENCE = 1000;
/** Nobody sleeps longer. */
const LONGEST_SKIP = 2000 * 86_400_000;

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
  readonly #store: World;
  readonly #workers: TestedWorkers;
  readonly #stubbed: Set<() => void> = new Set();
  #closing: Promise<void> | undefined;

  constructor(options: TestEnvironmentOptions) {
    const { world, startAt, ...workers } = options;
    this.clock = virtualClock(startAt === undefined ? {} : { start: startAt.getTime() });
    const state = world === undefined ? new MemoryState() : null;
    this.#store = world ?? memoryWorld({ ...(state !== null && { state }) });
    this.#workers = new TestedWorkers({ ...workers, store: this.#store, state, clock: this.clock });
    this.world = this.#workers.world;
  }

  async open(): Promise<void> {
    configure({ world: this.world, clock: this.clock, worker: false });
    await this.world.open();
    await this.#workers.start();
  }

  async result<T>(run: Run<T>): Promise<T> {
    for (;;) {
      await this.settle();
      const [row] = await this.#store.getRuns([run.runId]);
      this.#workers.refuseDiverged(run.runId);
      if (row?.status === "diverged") throw decodeError(row.error ?? new Uint8Array());
      if (row === undefined || row === null || isTerminal(row.status)) return await run.returnValue;
      if (this.#workers.busy) await turn();
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
    for (let waited = 0; this.#workers.busy && waited < PATIENCE; waited++) await turn();
    await this.settle();
    if (!(await this.#mayWake())) return false;
    const [before, until] = [this.#workers.writes, this.clock.now() + LONGEST_SKIP];
    while (this.#workers.writes === before && this.clock.now() < until) {
      await this.clock.advanceToNext();
      await this.settle();
    }
    return this.#workers.writes !== before;
  }

  async advance(length: Length): Promise<void> {
    const until = this.clock.now() + lengthMs(length, "advance()");
    await this.settle();
    await this.clock.advance(until - this.clock.now());
    await this.settle();
  }

  async settle(): Promise<void> {
    await this.clock.advance(0);
    while (this.#workers.calling) {
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

  kill(): Promise<void> {
    return this.#workers.kill();
  }

  accident(verb: WorldVerb, accident: Accident, { skip = 0 }: { readonly skip?: number } = {}): void {
    this.#workers.accident(verb, accident, skip);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#workers.succeeded();
    for (const remove of this.#stubbed) remove();
    await this.#workers.close(() => this.settle());
    current = undefined;
    await shutdown();
    setClock(this.world, undefined);
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
}

/** A millisecond of real time, in which files and sockets get on. */
function turn(): Promise<void> {
  return new Promise((resolve) => systemSetTimeout(resolve, 1));
}
