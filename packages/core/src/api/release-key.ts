import type { Clock } from "../clock.ts";
import { RELEASE_KEY } from "../define/built-ins.ts";
import { ENGINE_QUEUE } from "../engine/engine-queue.ts";
import { Outbox } from "../engine/run/outbox.ts";
import type { StoreCalls } from "../engine/system-steps/store-calls.ts";
import { WorkflowRunNotFoundError } from "../errors/index.ts";
import { derivedMessageId, type IdSource } from "../ids.ts";
import { RELEASE_START_KEY } from "../interpreter/kinds/start-key.ts";
import { createRunRequest } from "../interpreter/new-run.ts";
import { startName } from "../names.ts";
import { encode } from "../serialization/index.ts";
import { isTerminal, type RunRecord, type World } from "../world/index.ts";
import { patienceWith, tellsOf, untilSeen } from "./looking.ts";

/**
 * Frees the key of a run by hand. A live run's owner does it when it reads a message. From one that has ended the key passes to a run
 * that ends at once, by whoever made it or, if that died, by any worker: with its end the key is free.
 */

export interface ReleaseTerms {
  readonly world: World;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly calls: Pick<StoreCalls, "createRun" | "deliver" | "getRun" | "getNames">;
  readonly runId: string;
}

const TTL = 15_000;
/** Before the second look, in milliseconds; the pauses double. */
const SHORTEST = 10;

/** Resolves when the run does not have its key any more. */
export async function releaseKey({ world, clock, ids, calls, runId }: ReleaseTerms): Promise<void> {
  let pause = SHORTEST;
  await untilSeen({ world, clock, signal: undefined, tells: tellsOf(runId) }, async () => {
    const run = await calls.getRun(runId);
    if (run === null) throw new WorkflowRunNotFoundError(runId);
    const { workflow, idempotencyKey: key } = run;
    const [held] = key === null ? [] : await calls.getNames([startName(workflow, key)], clock.now());
    if (key === null || held?.runId !== runId) return { seen: null };
    if (isTerminal(run.status)) {
      await takeOver(run, key);
      return { seen: null };
    }
    const messageId = derivedMessageId(RELEASE_START_KEY, runId);
    const at = clock.now();
    const { outcome } = await calls.deliver({
      messageId,
      to: { runId },
      type: RELEASE_START_KEY,
      at,
      data: null,
    });
    // No store tells of a name that has become free.
    pause = Math.min(2 * pause, patienceWith(world));
    return { again: outcome === "delivered" ? pause : 0 };
  });

  async function takeOver({ workflow, runId: from }: RunRecord, key: string): Promise<void> {
    const now = clock.now();
    const newId = ids.runId(now);
    const claimId = ids.token();
    const run = { runId: newId, workflow: RELEASE_KEY, args: encode([], "args"), attributes: {}, key: null };
    const lease = { owner: `release_${ids.token()}`, claimId, ttl: TTL };
    const request = createRunRequest({ ...run, hookToken: null }, { at: now, lease, headers: {}, mail: [] });
    const name = {
      name: startName(workflow, key),
      id: "key",
      fingerprint: null,
      data: null,
      keepFor: 0,
      freeAt: 0,
    };
    const created = await calls.createRun({ ...request, queue: ENGINE_QUEUE, names: [{ ...name, from }] });
    if (created.outcome !== "created" || created.lease === null) return;
    const outbox = new Outbox(newId);
    outbox.append("run_started", now, null, null, null);
    outbox.patch({ status: "running", startedAt: now });
    outbox.end({ type: "returned", output: encode(undefined, "return value") }, now);
    const { events, patch } = outbox.take(Number.POSITIVE_INFINITY);
    const seq = request.events.length;
    const park = { type: "park", dueAt: null } as const;
    const commit = { ...created.lease, seq, events, mailDone: 0, run: patch, lease: park };
    // Where neither is answered, a worker ends the run when the lease is over.
    await world.commit([commit], now).catch(() => world.commit([commit], now));
    await world.deleteRuns([newId]);
  }
}
