import { type CreateRun, type CreateRunResult, isTerminal, type Lease } from "../world/index.ts";
import type { MemoryRun } from "./memory-run.ts";
import { keepBytes, type MemoryState } from "./memory-state.ts";

/** `World.createRuns` for one run of the batch, in memory. */
export function createRun(state: MemoryState, request: CreateRun, now: number): CreateRunResult {
  const sent = state.runs.get(request.runId);
  if (sent !== undefined) return { outcome: "created", lease: leaseAgain(sent, request) };

  const { startKey, lease, workflow, queue, runId } = request;
  if (startKey !== null) {
    const holder = state.keyHolder(workflow, startKey.key);
    if (holder?.startKey && !isFree(holder, now)) {
      const same = holder.startKey.fingerprint === startKey.fingerprint;
      return { outcome: same ? "exists" : "mismatch", run: holder.row };
    }
  }

  state.addRun({
    row: {
      runId,
      workflow,
      queue,
      status: "pending",
      epoch: lease === null ? 0 : 1,
      claimId: lease === null ? null : lease.claimId,
      lostClaims: 0,
      seq: 1,
      bytes: request.event.data?.length ?? 0,
      mailSeq: 0,
      mailDone: 0,
      owner: lease === null ? null : lease.owner,
      dueAt: lease === null ? request.dueAt : now + lease.ttl,
      output: null,
      error: null,
      state: keepBytes(request.state),
      attributes: { ...request.attributes },
      idempotencyKey: startKey === null ? null : startKey.key,
      createdAt: request.event.at,
      startedAt: null,
      completedAt: null,
    },
    journal: [{ ...request.event, seq: 1, data: keepBytes(request.event.data) }],
    mailbox: [],
    startKey,
    tokens: new Map(),
    streams: new Map(),
  });
  if (lease === null && request.dueAt <= now) state.hint({ type: "due" });
  return { outcome: "created", lease: lease === null ? null : { runId, epoch: 1, claimId: lease.claimId } };
}

function isFree({ row, startKey }: MemoryRun, now: number): boolean {
  return (
    isTerminal(row.status) && startKey !== null && startKey.expiresAt !== null && startKey.expiresAt <= now
  );
}

function leaseAgain({ row }: MemoryRun, { lease }: CreateRun): Lease | null {
  if (lease === null || row.epoch !== 1 || row.owner === null || row.claimId !== lease.claimId) return null;
  return { runId: row.runId, epoch: 1, claimId: lease.claimId };
}
