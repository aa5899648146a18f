import {
  type CommitEvent,
  type CommitResult,
  endsRun,
  isTerminal,
  type JournalEvent,
  type NameConflict,
  type RunCommit,
  type RunPatch,
  type RunRecord,
} from "../world/index.ts";
import { keepBytes } from "./bytes.ts";
import { dropConsumed } from "./memory-mailbox.ts";
import type { MemoryRun } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

// So long a message that was consumed before a restart is known when it is sent again.
const MESSAGES_KNOWN_MS = 7 * 86_400_000;

/** `World.commit` in memory: the checks, the journal, the names and the row of one commit. */

export function commitRun(state: MemoryState, commit: RunCommit, now: number): CommitResult {
  const run = state.runs.get(commit.runId);
  if (run === undefined) return { outcome: "finished" };
  const { row } = run;
  if (isIn(row, commit)) return committed(run, commit);
  const ours = row.epoch === commit.epoch && row.claimId === commit.claimId && row.owner !== null;
  if (isTerminal(row.status) && (!ours || commit.events.length > 0)) return { outcome: "finished" };
  if (!ours) return { outcome: "fenced" };
  if (row.seq !== commit.seq) return { outcome: "out_of_step", seq: row.seq };

  if (commit.restart === true) restart(state, run, now);
  for (const event of commit.events) run.journal.push(journal(state, run, event, now));
  changeRow(state, run, commit, now);
  return committed(run, commit);
}

function restart(state: MemoryState, run: MemoryRun, now: number): void {
  const { generation, seq } = run.row;
  run.journal.length = 0;
  dropConsumed(state, run, now - MESSAGES_KNOWN_MS);
  state.setRow(run, { generation: generation + 1, firstSeq: seq + 1, bytes: 0 });
}

/**
 * Tells whether an earlier sending wrote this commit. One without events leaves no trace in the journal: while the
 * lease is held it is simply done again.
 */
function isIn(row: RunRecord, commit: RunCommit): boolean {
  if (row.epoch !== commit.epoch || row.claimId !== commit.claimId) return false;
  if (row.seq !== commit.seq + commit.events.length) return false;
  return commit.events.length > 0 || row.owner === null;
}

function journal(state: MemoryState, run: MemoryRun, asked: CommitEvent, now: number): JournalEvent {
  const { claim, release, ...event } = asked;
  const seq = run.row.firstSeq + run.journal.length;
  if (claim !== undefined) {
    const holder = state.names.get(claim.name, now);
    if (holder !== null) {
      return { ...event, seq, type: claim.refusedAs, data: new TextEncoder().encode(holder.runId) };
    }
    state.names.take(run, claim, event.at);
  }
  if (release !== undefined) state.names.release(run, release);
  return { ...event, seq, data: keepBytes(event.data) };
}

function changeRow(state: MemoryState, run: MemoryRun, commit: RunCommit, now: number): void {
  const { runId, lease } = commit;
  // A commit without events can arrive late, after its own repetition: it must not give back consumed mail.
  const mailDone = Math.max(run.row.mailDone, commit.mailDone);
  const endDone = Math.max(run.row.endDone, commit.run.endDone ?? 0);
  const bytes = commit.events.reduce((sum, { data }) => sum + (data?.length ?? 0), run.row.bytes);
  const seq = commit.seq + commit.events.length;
  const kept = { ...patchOf(commit.run), seq, bytes, mailDone, endDone };
  const ended = endsRun(commit);
  if (lease.type === "hold") {
    state.setRow(run, { ...kept, dueAt: Math.max(run.row.dueAt ?? 0, now + lease.ttl) });
  } else {
    const { mailSeq, endSeq, status } = run.row;
    const unread = mailSeq > mailDone || ((ended || isTerminal(status)) && endSeq > endDone);
    const dueAt = unread ? now : lease.dueAt;
    state.setRow(run, { ...kept, owner: null, dueAt });
    if (dueAt !== null && dueAt <= now) state.hint({ type: "due" });
  }
  if (ended) state.hint({ type: "finished", runId });
  else if (commit.run.state !== undefined) state.hint({ type: "state", runId });
}

/** Without fields that are there but `undefined`: those would wipe the row's. */
function patchOf(patch: RunPatch): RunPatch {
  return {
    ...(patch.status !== undefined && { status: patch.status }),
    ...(patch.startedAt !== undefined && { startedAt: patch.startedAt }),
    ...(patch.completedAt !== undefined && { completedAt: patch.completedAt }),
    ...(patch.output !== undefined && { output: keepBytes(patch.output) }),
    ...(patch.error !== undefined && { error: keepBytes(patch.error) }),
    ...(patch.state !== undefined && { state: keepBytes(patch.state) }),
    ...(patch.attributes !== undefined && { attributes: { ...patch.attributes } }),
    ...(patch.queue !== undefined && { queue: patch.queue }),
    ...(patch.lostClaims !== undefined && { lostClaims: patch.lostClaims }),
  };
}

/** The answer as the journal tells it, so that a repeated sending gets the same one. */
function committed({ row, journal }: MemoryRun, commit: RunCommit): CommitResult {
  const conflicts: NameConflict[] = [];
  commit.events.forEach(({ claim }, index) => {
    const written = journal[commit.seq + index + 1 - row.firstSeq];
    if (claim === undefined || written?.type !== claim.refusedAs || written.data === null) return;
    conflicts.push({ id: claim.id, runId: new TextDecoder().decode(written.data) });
  });
  return { outcome: "committed", mailSeq: row.mailSeq, endSeq: row.endSeq, conflicts };
}

/** Refuses what no caller may send, before anything is written. */
export function checkBatch(batch: readonly RunCommit[]): void {
  const seen = new Set<string>();
  for (const commit of batch) {
    const { runId, restart, events } = commit;
    if (seen.has(runId)) throw new TypeError(`commit: two commits of run ${runId} in one batch`);
    seen.add(runId);
    if (restart !== true) continue;
    if (events.length === 0)
      throw new TypeError(`commit: run ${runId} begins its journal anew without an event`);
    if (endsRun(commit)) {
      throw new TypeError(`commit: run ${runId} begins its journal anew and ends`);
    }
  }
}
