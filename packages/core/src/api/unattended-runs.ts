import type { Clock } from "../clock.ts";
import { callsOneStep, hasBuiltIn } from "../define/built-ins.ts";
import { registry } from "../define/registry.ts";
import { type WorkerInfo, workersOf } from "../engine/upkeep/sign-of-life.ts";
import type { StartedRun } from "../engine/upkeep/started-runs.ts";
import type { EngineWorker } from "../engine/worker.ts";
import { CALLER } from "../interpreter/kinds/attributes.ts";
import type { Logger } from "../logger.ts";
import { PARENT } from "../parent.ts";
import { decodeError } from "../serialization/index.ts";
import { isTerminal, type RunRecord, type RunStatus, type World } from "../world/index.ts";

/**
 * Warns of runs that nobody executes: those that somebody waits for here, which are due, and no worker takes them, or which are parked as
 * diverged; and those that were started here, which are due, and no worker that is known would take them. Runs that sleep, wait for a
 * hook, or are under way are none of these.
 */

/** How long a run must have been awaited and due. */
const PATIENCE = 5_000;
const AGAIN = 60_000;
/** Runs of one query. */
const PAGE = 500;
/** How far it looks from an awaited run to those that it waits for, and how many of them it looks at. */
const DEEPEST = 5;
const STARTED = 20;
const UNFINISHED: readonly RunStatus[] = ["pending", "running", "diverged"];
/** Workflows that a warning lists. */
const LISTED = 5;

export interface UnattendedRunsOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The workers of this process on this World. */
  readonly workers: ReadonlySet<EngineWorker>;
}

export class UnattendedRuns {
  readonly #options: UnattendedRunsOptions;
  /** Awaited runs: how many wait for each, and when it is looked at next, in monotonic time. */
  readonly #awaited: Map<string, { waiters: number; lookAt: number }> = new Map();
  /** Runs that were started here, one of each workflow, and when each is looked at next. */
  readonly #started: Map<string, { runId: string; lookAt: number }> = new Map();
  /** When it was last warned of runs of a workflow. */
  readonly #warnedAt: Map<string, number> = new Map();
  #cancelTimer: (() => void) | undefined;

  constructor(options: UnattendedRunsOptions) {
    this.#options = options;
  }

  /** Somebody waits for what this run does until the work settles; gives what that does. */
  async during<T>(runId: string, work: Promise<T>): Promise<T> {
    const stop = this.#watch(runId);
    return await work.finally(stop);
  }

  /** A run was started here, which nobody may wait for. Of each workflow one is looked at, as long as it lies there. */
  started({ runId, workflow }: StartedRun): void {
    if (this.#started.has(workflow) || this.#executedHere(workflow)) return;
    this.#started.set(workflow, { runId, lookAt: this.#options.clock.elapsed() + PATIENCE });
    this.#arm();
  }

  #watch(runId: string): () => void {
    const known = this.#awaited.get(runId);
    if (known !== undefined) known.waiters++;
    else this.#awaited.set(runId, { waiters: 1, lookAt: this.#options.clock.elapsed() + PATIENCE });
    this.#arm();
    return () => this.#unwatch(runId);
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#cancelTimer ??= clock.setTimer(clock.now() + PATIENCE, () => void this.#look());
  }

  #unwatch(runId: string): void {
    const known = this.#awaited.get(runId);
    if (known === undefined || --known.waiters > 0) return;
    this.#awaited.delete(runId);
    this.#rest();
  }

  #rest(): void {
    if (this.#awaited.size > 0 || this.#started.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #look(): Promise<void> {
    const { clock, world } = this.#options;
    const now = clock.elapsed();
    const runIds: string[] = [];
    for (const [runId, awaited] of this.#awaited) {
      if (awaited.lookAt > now) continue;
      awaited.lookAt = now + AGAIN;
      runIds.push(runId);
    }
    this.#cancelTimer = clock.setTimer(clock.now() + PATIENCE, () => void this.#look());
    try {
      for (let from = 0; from < runIds.length; from += PAGE) {
        const runs = await world.getRuns(runIds.slice(from, from + PAGE));
        const awaited = runs.filter((run): run is RunRecord => run !== null && this.#awaited.has(run.runId));
        await this.#judge(awaited);
        await this.#lookFurther(awaited);
      }
      await this.#lookAtStarted(now);
    } catch {
      // The store does not answer: who waits for the run hears of that.
    }
  }

  async #lookAtStarted(now: number): Promise<void> {
    const due = [...this.#started].filter(([, { lookAt }]) => lookAt <= now);
    if (due.length === 0) return;
    const runs = await this.#options.world.getRuns(due.map(([, { runId }]) => runId));
    for (const [index, [workflow, watched]] of due.entries()) {
      const run = runs[index] ?? null;
      // Somebody has it, or had it.
      if (run === null || run.status !== "pending" || run.owner !== null) this.#started.delete(workflow);
      else {
        watched.lookAt = now + AGAIN;
        if (now - (this.#warnedAt.get(workflow) ?? Number.NEGATIVE_INFINITY) >= AGAIN)
          await this.#judge([run]);
      }
    }
    this.#rest();
  }

  /** An awaited run that has parked may itself wait for runs, which it has started: children, or those of `once`. */
  async #lookFurther(awaited: readonly RunRecord[]): Promise<void> {
    let parked = awaited;
    for (let level = 0; level < DEEPEST && parked.length > 0; level++) {
      const started: RunRecord[] = [];
      // Warnings are of workflows: one run of each tells.
      for (const { runId } of firstOfEach(
        parked.filter(({ status, dueAt }) => status === "running" && dueAt === null),
      )) {
        for (const attribute of [PARENT, CALLER]) {
          const filter = { attributes: { [attribute]: runId }, statuses: UNFINISHED, limit: STARTED };
          started.push(...(await this.#options.world.listRuns(filter)).runs);
        }
      }
      await this.#judge(started);
      parked = started;
    }
  }

  /** The time by which the store finds runs due: the clock of this machine may be another. */
  async #storeNow(): Promise<number> {
    const { world, clock } = this.#options;
    const nothing = { queues: [], limit: 1, byteLimit: 1, owner: "", claimId: "", ttl: 1, eventLimit: 1 };
    return (await world.claim({ ...nothing, now: clock.now(), cached: new Map() })).now;
  }

  async #judge(runs: readonly RunRecord[]): Promise<void> {
    if (runs.length === 0) return;
    const now = await this.#storeNow();
    const unattended = new Map<string, RunRecord[]>();
    for (const run of runs) {
      if (isTerminal(run.status)) continue;
      if (run.status === "diverged") this.#warnOfDiverged(run);
      if (run.status === "diverged" || run.dueAt === null || run.dueAt > now - PATIENCE) continue;
      // A worker of this process that is busy will come to it.
      if (this.#executedHere(run.workflow)) continue;
      unattended.set(run.workflow, [...(unattended.get(run.workflow) ?? []), run]);
    }
    if (unattended.size === 0) return;
    const signs = await workersOf(this.#options.world, now).catch(() => null);
    for (const [workflow, [first, ...others]] of unattended) {
      if (first === undefined) continue;
      // Whoever waits hears of workers that are busy; that a start is in a line is no news.
      const expected = signs?.some(({ workflows }) => workflows.includes(workflow)) ?? true;
      if (expected && this.#started.get(workflow)?.runId === first.runId && !this.#awaited.has(first.runId))
        continue;
      this.#warn(workflow, first, others.length, now, this.#elsewhere(workflow, signs));
    }
  }

  #warnOfDiverged({ runId, workflow, error }: RunRecord): void {
    this.#options.logger.warn(
      `Run "${runId}" of workflow "${workflow}" ${this.#why(runId)} and is parked as diverged: a worker could not go on with it, for ` +
        "the reason below. Mend what it says; run.retry() then has the run tried again at once.",
      { runId, workflow, error: error === null ? undefined : decodeError(error) },
    );
  }

  #warn(workflow: string, { runId, dueAt }: RunRecord, others: number, now: number, elsewhere: string): void {
    this.#warnedAt.set(workflow, this.#options.clock.elapsed());
    const seconds = Math.floor((now - (dueAt ?? now)) / 1_000);
    const more = others === 0 ? "" : `, and ${others} more of this workflow`;
    this.#options.logger.warn(
      `Nobody executes run "${runId}" of workflow "${workflow}"${more}: it ${this.#why(runId)}, has been due for ${seconds} s, ` +
        `and no worker has taken it. ${this.#situation(workflow)} ${elsewhere}`,
      { runId, workflow, runs: others + 1 },
    );
  }

  /** Why anybody cares. */
  #why(runId: string): string {
    if (this.#awaited.has(runId)) return "is awaited here";
    const started = [...this.#started.values()].some((run) => run.runId === runId);
    return started ? "was started here" : "was started by one that is awaited here";
  }

  /** What is known in this process of who would execute the workflow, and what to do. */
  #situation(workflow: string): string {
    const known = [...registry.workflows.keys()];
    const name = functionName(workflow);
    const namesake = known.find((id) => name !== undefined && functionName(id) === name);
    if (namesake !== undefined && !known.includes(workflow)) {
      return (
        `This process has a workflow of the same name under another id, "${namesake}": if they are one function, it was ` +
        "compiled from different directories; compile it under the same path everywhere, or give it an id with workflow(id, fn)."
      );
    }
    const workers = this.#workers();
    if (callsOneStep(workflow) && !hasBuiltIn(workflow)) {
      return "This process does not have the step: import the module that defines it in a process that has a worker.";
    }
    if (!known.includes(workflow) && !hasBuiltIn(workflow)) {
      const list = known.slice(0, LISTED).map((id) => `"${id}"`);
      const others = known.length > LISTED ? ` and ${known.length - LISTED} more` : "";
      const has = known.length === 0 ? "no workflow" : `only ${list.join(", ")}${others}`;
      return (
        `This process has ${has}${workers.length === 0 ? ", and no worker" : ""}. Import the module that defines the workflow, ` +
        "under its old id if it was renamed, in a process that has a worker."
      );
    }
    if (workers.length === 0) {
      return (
        "This process has the workflow, but no worker that is open: start one with createWorker({ world }).start() or " +
        "configure({ world, worker: true }), here or in another process that imports the workflow."
      );
    }
    return "The workers of this process leave it out by their option `workflows`: add it, or start another worker.";
  }

  /** What is known of workers of other processes. `signs`: those that live, `null` if that could not be read. */
  #elsewhere(workflow: string, signs: readonly WorkerInfo[] | null): string {
    if (signs === null) return "Whether other processes have workers could not be read.";
    const own = new Set([...this.#options.workers].map(({ id }) => id));
    const others = signs.filter(({ workerId }) => !own.has(workerId));
    if (others.length === 0) return "No other process shows a sign of a worker.";
    const [first, ...more] = others.filter(({ workflows }) => workflows.includes(workflow));
    if (first === undefined)
      return `Workers of other processes live (${others.length}), and none of them says that it executes it.`;
    const all = more.length === 0 ? "" : `, and ${more.length} more`;
    return (
      `Another process has a worker that executes it, "${first.workerId}" (pid ${first.pid} on ${first.host})${all}: it is busy, or has died ` +
      "within the last half minute; listWorkers() tells how it is."
    );
  }

  #executedHere(workflow: string): boolean {
    return this.#workers().some((worker) => worker.executes(workflow));
  }

  #workers(): EngineWorker[] {
    return [...this.#options.workers].filter((worker) => worker.open);
  }
}

/** One run of each workflow. */
function firstOfEach(runs: readonly RunRecord[]): Iterable<RunRecord> {
  return new Map(runs.map((run) => [run.workflow, run])).values();
}

/** `charge` of `workflow//./src/pay//charge`; an id that was given by hand has none. */
function functionName(id: string): string | undefined {
  const [kind, , name] = id.split("//");
  return kind === "workflow" ? name : undefined;
}
