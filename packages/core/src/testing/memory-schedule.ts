import type {
  ClaimedRun,
  ClaimRequest,
  ClaimResult,
  Lease,
  RenewRequest,
  RenewResult,
} from "../world/index.ts";
import { DueQueue, dueBefore } from "./due-queue.ts";
import { type MemoryRun, mailAfter } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** `World.claim` and `World.renew`, in memory. */

export function claim(state: MemoryState, request: ClaimRequest): ClaimResult {
  const { now, limit } = request;
  const sources = request.runIds === undefined ? queuesOf(state, request) : [runsOf(state, request.runIds)];
  const isDue = (run: MemoryRun | undefined): run is MemoryRun => (run?.row.dueAt ?? now + 1) <= now;

  const taken: MemoryRun[] = [];
  let bytes = 0;
  for (const source of sources) {
    for (let run = source.first(); isDue(run) && taken.length < limit; run = source.first()) {
      if (taken.length > 0 && bytes > request.byteLimit) break;
      source.remove(run);
      taken.push(run);
      bytes += run.row.bytes;
    }
  }
  const left = sources.flatMap((source) => source.first() ?? []).sort((a, b) => (dueBefore(a, b) ? -1 : 1));
  // Taken runs go back into the queues only now, so that a lease of no length is not claimed twice.
  const nextDueAt = left[0]?.row.dueAt ?? null;
  return { runs: taken.map((run) => lease(state, run, request)), nextDueAt, now };
}

function queuesOf(state: MemoryState, { queues }: ClaimRequest): DueQueue[] {
  return [...new Set(queues)].map((queue) => state.due(queue));
}

function runsOf(state: MemoryState, runIds: readonly string[]): DueQueue {
  const due = new DueQueue();
  for (const runId of runIds) {
    const run = state.runs.get(runId);
    if (run !== undefined) due.place(run);
  }
  return due;
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
    mail: mailAfter(run, before.mailDone),
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
