import type {
  ClaimedRun,
  ClaimRequest,
  ClaimResult,
  Lease,
  RenewRequest,
  RenewResult,
} from "../world/index.ts";
import { dueBefore } from "./due-queue.ts";
import type { MemoryRun } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** `World.claim` and `World.renew`, in memory. */

export function claim(state: MemoryState, request: ClaimRequest): ClaimResult {
  const { now, limit } = request;
  const queues = [...new Set(request.workflows)].map((workflow) => state.due(workflow));
  const firstDue = (): MemoryRun | undefined => {
    let first: MemoryRun | undefined;
    for (const queue of queues) {
      const run = queue.first();
      if (run !== undefined && (first === undefined || dueBefore(run, first))) first = run;
    }
    return first;
  };

  const taken: MemoryRun[] = [];
  let bytes = 0;
  let next = firstDue();
  while (next !== undefined && taken.length < limit && (next.row.dueAt ?? now) <= now) {
    if (taken.length > 0 && bytes > request.byteLimit) break;
    state.due(next.row.workflow).remove(next);
    taken.push(next);
    bytes += next.row.bytes;
    next = firstDue();
  }
  // Taken runs go back into the queues only now, so that a lease of no length is not claimed twice.
  const nextDueAt = next === undefined ? null : next.row.dueAt;
  return { runs: taken.map((run) => lease(state, run, request)), nextDueAt, now };
}

function lease(state: MemoryState, run: MemoryRun, request: ClaimRequest): ClaimedRun {
  const before = run.row;
  const lost = before.owner !== null;
  state.setRow(run, {
    epoch: before.epoch + 1,
    claimId: request.claimId,
    lostClaims: before.lostClaims + (lost ? 1 : 0),
    owner: request.owner,
    dueAt: request.now + request.ttl,
  });
  const known = request.cached.get(before.runId);
  const cached = known !== undefined && known.claimId === before.claimId && known.seq === before.seq;
  return {
    run: run.row,
    lost,
    lastClaimId: before.claimId,
    events: cached ? [] : run.journal.slice(0, request.eventLimit),
    mail: run.mailbox.slice(before.mailDone),
    damage: null,
  };
}

export function renew(state: MemoryState, request: RenewRequest): readonly RenewResult[] {
  return request.leases.map((held) => renewOne(state, held, request.now + request.ttl));
}

function renewOne(state: MemoryState, held: Lease, until: number): RenewResult {
  const run = state.runs.get(held.runId);
  if (run === undefined || run.row.owner === null) return { outcome: "lost" };
  if (run.row.epoch !== held.epoch || run.row.claimId !== held.claimId) return { outcome: "lost" };
  if (run.row.dueAt === null || run.row.dueAt < until) state.setRow(run, { dueAt: until });
  return { outcome: "renewed", mailSeq: run.row.mailSeq };
}
