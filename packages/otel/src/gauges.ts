import type { BatchObservableCallback, Meter } from "@opentelemetry/api";
import { openWorkers } from "@perdure/core/runtime";
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
  const held = gauge("perdure.runs.held", "{run}", "Runs of which the worker has the lease.");
  const healthy = gauge("perdure.worker.healthy", "1", "1 if the worker takes and executes runs, else 0.");
  const due = gauge(
    "perdure.due.lag",
    "s",
    "How long the run has been due that nobody has taken for longest.",
  );
  const waiting = gauge("perdure.runs.backlog", "{run}", "Runs of the World that nobody has begun.");

  const observe: BatchObservableCallback = async (result) => {
    const workers = openWorkers();
    for (const worker of workers) {
      const { ok, slots, heldRuns, oldestDue, detached: bodies } = worker.health();
      const attributes = { [ATTRIBUTE.worker]: worker.id };
      result.observe(inUse, slots.inUse, attributes);
      result.observe(limit, slots.limit, attributes);
      result.observe(queued, slots.queued, attributes);
      result.observe(detached, bodies.count, attributes);
      result.observe(held, heldRuns, attributes);
      result.observe(healthy, ok ? 1 : 0, attributes);
      result.observe(
        due,
        oldestDue === null ? 0 : Math.max(Date.now() - oldestDue.getTime(), 0) / 1000,
        attributes,
      );
    }
    if (!backlog) return;
    for (const world of new Set(workers.map((worker) => worker.world))) {
      // A store that is away is told of by the workers' health.
      const pending = await world.countRuns({ statuses: ["pending"] }).catch(() => null);
      if (pending !== null) result.observe(waiting, pending, { [ATTRIBUTE.world]: world.name });
    }
  };

  const gauges = [inUse, limit, queued, detached, held, healthy, due, waiting];
  meter.addBatchObservableCallback(observe, gauges);
  return () => meter.removeBatchObservableCallback(observe, gauges);
}
