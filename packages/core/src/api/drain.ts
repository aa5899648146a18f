import { type Clock, systemClock } from "../clock.ts";
import { refuseInWorkflow } from "../context.ts";
import type { EngineWorker } from "../engine/worker.ts";
import { DEFAULTS, type WorkerOptions } from "../engine/worker-options.ts";
import { checkOptionNames } from "../option-names.ts";
import type { RunStatus, World } from "../world/index.ts";
import { configuredClock, drainingWorker, getWorld } from "./runtime.ts";

/** Working off what is due, in a process that lives only for a while: a serverless function, a job of a cron. */

/** Options of {@link drain}. */
export interface DrainOptions
  extends Pick<WorkerOptions, "workflows" | "concurrency" | "logger" | "clock" | "ids" | "random"> {
  /** Where the runs are. Left open, for the next drain of the process. Default: the World of this process. */
  readonly world?: World;
  /** How long it may take, in milliseconds, from the call on: less than the platform gives the function. */
  readonly budgetMs: number;
}

/** What a {@link drain} has done, and what it has left. */
export interface DrainResult {
  /** How many runs it had. */
  readonly processed: number;
  /** How many runs are due and were left: 0 unless the budget was used up. Of 1000 open runs and more, the oldest are counted. */
  readonly due: number;
  /** When the next run is due, one that another process executes included; `null` if all others wait for messages. */
  readonly nextDueAt: Date | null;
}

/** Of the budget, so much is for steps that are under way to come to their end, and so much for giving runs back. */
const SHARE = 0.2;
const LONGEST_HANDOVER = 2000;

/** So many open runs are looked at to count those that are due. */
const COUNTED = 1000;
const OPEN: readonly RunStatus[] = ["pending", "running", "diverged"];

/**
 * Executes what is due, until nothing is or the budget is used up, and gives every lease back before it resolves. A run that sleeps, or
 * waits for a message, is not waited for: `nextDueAt` says when to come again.
 *
 * Near the end of the budget nothing new is begun. Steps that are under way then have a fifth of the budget, 10 seconds at most, to come
 * to their end; the last fifth, 2 seconds at most, is for giving the runs back. A step that needs longer is interrupted, as when a worker
 * closes: its `signal` is aborted, the attempt counts, and its run is due at once for the next drain. So a step has to fit into a fifth.
 *
 * @throws {TypeError} for an option out of range
 * @throws {WorldError} if the store cannot be reached
 * @example
 * ```ts
 * const { due, nextDueAt } = await drain({ world, budgetMs: 25_000 });
 * ```
 */
export async function drain(options: DrainOptions): Promise<DrainResult> {
  refuseInWorkflow("drain()");
  checkOptionNames<DrainOptions>("drain()", options, {
    world: true,
    budgetMs: true,
    workflows: true,
    concurrency: true,
    logger: true,
    clock: true,
    ids: true,
    random: true,
  });
  const { budgetMs, world = getWorld(), ...others } = options;
  if (!(Number.isFinite(budgetMs) && budgetMs >= 1)) {
    throw new TypeError(`drain({ budgetMs }): must be a number of milliseconds from 1 on, got ${budgetMs}.`);
  }
  const given = others.clock ?? configuredClock(world);
  const clock = given ?? systemClock;
  const end = clock.now() + budgetMs;
  const handOver = Math.min(budgetMs * SHARE, LONGEST_HANDOVER);
  const steps = Math.min(budgetMs * SHARE, DEFAULTS.closeTimeout);
  const worker = drainingWorker({
    ...others,
    world,
    leaseTtl: Math.min(DEFAULTS.leaseTtl, budgetMs),
    ...(given !== undefined && { clock: given }),
  });
  try {
    await worker.start();
    await within(clock, end - handOver - steps, worker.drain.over);
  } finally {
    // What the store does not answer in time is left to its lease.
    await within(clock, end, worker.close({ timeout: steps }));
  }
  return await left(worker);
}

/** Waits for the work, and no longer than to this time. */
async function within(clock: Clock, at: number, work: Promise<void>): Promise<void> {
  let cancel = (): void => {};
  const time = new Promise<void>((resolve) => {
    cancel = clock.setTimer(at, resolve);
  });
  try {
    await Promise.race([work, time]);
  } finally {
    cancel();
  }
}

async function left(worker: EngineWorker): Promise<DrainResult> {
  const { world, queues, drain } = worker;
  const { processed, now, nextDueAt } = drain;
  const isDue = (at: number | null): boolean => at !== null && at <= now;
  let due = 0;
  // A store that did not answer the last look is asked once more, so that it is not taken for an empty one.
  if (isDue(nextDueAt) || !worker.health().store.reachable) {
    const { runs } = await world.listRuns({ statuses: OPEN, limit: COUNTED, order: "asc" });
    const served = new Set(queues);
    due = runs.filter(({ queue, dueAt }) => served.has(queue) && isDue(dueAt)).length;
    if (isDue(nextDueAt)) due = Math.max(due, 1);
  }
  return { processed, due, nextDueAt: nextDueAt === null ? null : new Date(nextDueAt) };
}
