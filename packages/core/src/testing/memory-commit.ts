import {
  type CommitResult,
  type HookConflict,
  isTerminal,
  type JournalEvent,
  type NewEvent,
  type RunCommit,
  type RunPatch,
  type RunRecord,
} from "../world/index.ts";
import type { MemoryRun } from "./memory-run.ts";
import { keepBytes, type MemoryState } from "./memory-state.ts";

/** `World.commit` in memory: the checks, the journal, the hooks and the row of one commit. */

export function commitRun(state: MemoryState, commit: RunCommit, now: number): CommitResult {
  const run = state.runs.get(commit.runId);
  if (run === undefined) return { outcome: "finished" };
  if (isIn(run.row, commit)) return committed(run, commit);
  if (isTerminal(run.row.status)) return { outcome: "finished" };
  const ours = run.row.epoch === commit.epoch && run.row.claimId === commit.claimId;
  if (!ours || run.row.owner === null) return { outcome: "fenced" };
  if (run.row.seq !== commit.seq) return { outcome: "out_of_step", seq: run.row.seq };

  for (const event of commit.events) run.journal.push(journal(state, run, event));
  changeRow(state, run, commit, now);
  return committed(run, commit);
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

function journal(state: MemoryState, run: MemoryRun, event: NewEvent): JournalEvent {
  const seq = run.journal.length + 1;
  if (event.type === "hook_created" && event.name !== null && event.id !== null) {
    const holder = state.hooks.get(event.name);
    if (holder !== undefined) {
      return { ...event, seq, type: "hook_conflict", data: new TextEncoder().encode(holder.runId) };
    }
    const data = keepBytes(event.data);
    const hook = { token: event.name, hookId: event.id, runId: run.row.runId, createdAt: event.at, data };
    state.takeToken(run, hook);
  }
  if (event.type === "hook_disposed" && event.id !== null) state.freeToken(run, event.id);
  return { ...event, seq, data: keepBytes(event.data) };
}

function changeRow(state: MemoryState, run: MemoryRun, commit: RunCommit, now: number): void {
  const { runId, lease } = commit;
  // A commit without events can arrive late, after its own repetition: it must not give back consumed mail.
  const mailDone = Math.max(run.row.mailDone, commit.mailDone);
  const bytes = commit.events.reduce((sum, { data }) => sum + (data?.length ?? 0), run.row.bytes);
  const kept = { ...patchOf(commit.run), seq: run.journal.length, bytes, mailDone };
  switch (lease.type) {
    case "hold":
      state.setRow(run, { ...kept, dueAt: Math.max(run.row.dueAt ?? 0, now + lease.ttl) });
      return;
    case "park": {
      const dueAt = run.row.mailSeq > mailDone ? now : lease.dueAt;
      state.setRow(run, { ...kept, owner: null, dueAt });
      if (dueAt !== null && dueAt <= now) state.hint({ type: "due" });
      return;
    }
    case "finish":
      state.setRow(run, { ...kept, owner: null, dueAt: null });
      state.freeTokens(run);
      state.hint({ type: "finished", runId });
  }
}

/** Without fields that are there but `undefined`: those would wipe the row's. */
function patchOf(patch: RunPatch): RunPatch {
  return {
    ...(patch.status !== undefined && { status: patch.status }),
    ...(patch.startedAt !== undefined && { startedAt: patch.startedAt }),
    ...(patch.completedAt !== undefined && { completedAt: patch.completedAt }),
    ...(patch.output !== undefined && { output: keepBytes(patch.output) }),
    ...(patch.error !== undefined && { error: keepBytes(patch.error) }),
    ...(patch.lostClaims !== undefined && { lostClaims: patch.lostClaims }),
  };
}

/** The answer as the journal tells it, so that a repeated sending gets the same one. */
function committed(run: MemoryRun, commit: RunCommit): CommitResult {
  const conflicts: HookConflict[] = [];
  commit.events.forEach((asked, index) => {
    const written = run.journal[commit.seq + index];
    if (asked.type !== "hook_created" || written?.type !== "hook_conflict") return;
    if (written.id === null || written.data === null) return;
    conflicts.push({ hookId: written.id, runId: new TextDecoder().decode(written.data) });
  });
  return { outcome: "committed", mailSeq: run.row.mailSeq, conflicts };
}

/** Refuses what no caller may send, before anything is written. */
export function checkBatch(batch: readonly RunCommit[]): void {
  const seen = new Set<string>();
  for (const { runId, run, lease } of batch) {
    if (seen.has(runId)) throw new TypeError(`commit: two commits of run ${runId} in one batch`);
    seen.add(runId);
    const ends = run.status !== undefined && isTerminal(run.status);
    if (ends !== (lease.type === "finish")) {
      throw new TypeError(`commit: run ${runId} asks for lease "${lease.type}" with status "${run.status}"`);
    }
  }
}
