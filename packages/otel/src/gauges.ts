import type { BatchObservableCallback, Meter } from "@opentelemetry/api";
import { openWorkers, type WorkerHealth } from "@perdure/core/runtime";
import { ATTRIBUTE } from "./attributes.ts";

/** What is looked at when metrics are collected: the workers of this process, and how much waits in their Worlds. */

export interface ObserveOptions {
  /** Whether the stores are asked for their backlog. */
  readonly backlog: boolean;
}

/** Observes the workers of this process. Returns the function that ends it. */
export function observeWorkers(meter: Meter, { backlog }: ObserveOptions): () => void {
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(name, { unit, description });

  const inUse = gauge("perdure.slots.in_use", "{slot}", "Bodies of steps that run and count.");
  const limit = gauge("perdure.slots.limit", "{slot}", "Bodies of steps that may run at once.");
  const queued = gauge("perdure.slots.queued", "{step}", "Steps that wait for a slot.");
  const detached = gauge(
    "perdure.bodies.detached",
    "{body}",
    "Bodies that go on when their attempts are over.",
  );
  const held = gauge("perdure.runs.held", "{run}", "Runs of which this process has the lease.");
  const open = gauge("perdure.workers.open", "{worker}", "Workers of this process.");
  const well = gauge("perdure.workers.healthy", "{worker}", "Those that take and execute runs.");
  const due = gauge(
    "perdure.due.lag",
    "s",
    "How long the run has been due that nobody has taken for longest.",
  );
  const waiting = gauge("perdure.runs.backlog", "{run}", "Runs of the World that nobody has begun.");

  // The SDK goes on to report whatever it has once seen, so a worker that was closed must not have a series of its own.
  const observe: BatchObservableCallback = async (result) => {
    const workers = openWorkers();
    const all = workers.map((worker) => worker.health());
    const sum = (of: (health: WorkerHealth) => number): number =>
      all.reduce((total, health) => total + of(health), 0);
    result.observe(
      inUse,
      sum(({ slots }) => slots.inUse),
    );
    result.observe(
      limit,
      sum(({ slots }) => slots.limit),
    );
    result.observe(
      queued,
      sum(({ slots }) => slots.queued),
    );
    result.observe(
      detached,
      sum(({ detached: bodies }) => bodies.count),
    );
    result.observe(
      held,
      sum(({ heldRuns }) => heldRuns),
    );
    result.observe(open, workers.length);
    result.observe(
      well,
      sum(({ ok }) => (ok ? 1 : 0)),
    );
    result.observe(due, Math.max(0, ...all.map(lagOf)));
    if (!backlog) return;
    for (const world of new Set(workers.map((worker) => worker.world))) {
      // A store that is away is told of by the workers' health.
      const pending = await world.countRuns({ statuses: ["pending"] }).catch(() => null);
      if (pending !== null) result.observe(waiting, pending, { [ATTRIBUTE.world]: world.name });
    }
  };

  const gauges = [inUse, limit, queued, detached, held, open, well, due, waiting];
  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}

/** In seconds. */
function lagOf({ oldestDue }: WorkerHealth): number {
  return oldestDue === null ? 0 : (Date.now() - oldestDue.getTime()) / 1000;
}
