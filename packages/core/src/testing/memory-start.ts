import { type CreateRun, type CreateRunResult, isTerminal, type Lease } from "../world/index.ts";
import { keepBytes } from "./bytes.ts";
import { put } from "./memory-mailbox.ts";
import type { MemoryRun } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** `World.createRuns` for one run of the batch, in memory. */
export function createRun(state: MemoryState, request: CreateRun, now: number): CreateRunResult {
  const sent = state.runs.get(request.runId);
  if (sent !== undefined) return { outcome: "created", lease: leaseAgain(sent, request) };
  const refusal = refusalOf(state, request, now);
  if (refusal !== null) return refusal;

  const { lease, workflow, queue, runId, events, mail } = request;
  const createdAt = events[0]?.at ?? now;
  const dueAt = mail.length > 0 ? Math.min(request.dueAt, now) : request.dueAt;
  const run: MemoryRun = {
    row: {
      runId,
      workflow,
      queue,
      status: "pending",
      epoch: lease === null ? 0 : 1,
      claimId: lease === null ? null : lease.claimId,
      lostClaims: 0,
      generation: 0,
      firstSeq: 1,
      seq: events.length,
      bytes: events.reduce((sum, { data }) => sum + (data?.length ?? 0), 0),
      mailSeq: mail.length,
      mailDone: 0,
      endSeq: 0,
      endDone: 0,
      owner: lease === null ? null : lease.owner,
      dueAt: lease === null ? dueAt : now + lease.ttl,
      output: null,
      error: null,
      state: keepBytes(request.state),
      attributes: { ...request.attributes },
      idempotencyKey: request.idempotencyKey,
      createdAt,
      startedAt: null,
      completedAt: null,
    },
    journal: events.map((event, index) => ({ ...event, seq: index + 1, data: keepBytes(event.data) })),
    mailbox: [],
    endMail: [],
    names: new Map(),
    streams: new Map(),
  };
  state.addRun(run);
  for (const claim of request.names) state.names.take(run, claim, createdAt);
  for (const [index, message] of mail.entries()) {
    put(state, run, run.mailbox, { ...message, mailSeq: index + 1 });
  }
  if (lease === null && dueAt <= now) state.hint({ type: "due" });
  return { outcome: "created", lease: lease === null ? null : { runId, epoch: 1, claimId: lease.claimId } };
}

/** Why the run cannot be made: a name that another has, or a message that another got. */
function refusalOf(state: MemoryState, { names, mail }: CreateRun, now: number): CreateRunResult | null {
  for (const { name, from } of names) {
    const held = state.names.get(name, now);
    const holder = held === null ? undefined : state.runs.get(held.runId);
    if (held === null || holder === undefined) continue;
    if (held.runId === from && isTerminal(holder.row.status)) continue;
    return { outcome: "held", name: held, run: holder.row };
  }
  for (const { messageId } of mail) {
    const known = state.messages.get(messageId);
    if (known !== undefined) return { outcome: "mailed", messageId, runId: known.runId };
  }
  return null;
}

function leaseAgain({ row }: MemoryRun, { lease }: CreateRun): Lease | null {
  if (lease === null || row.epoch !== 1 || row.owner === null || row.claimId !== lease.claimId) return null;
  return { runId: row.runId, epoch: 1, claimId: lease.claimId };
}
