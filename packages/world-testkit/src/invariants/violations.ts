import { isTerminal, type JournalEvent, type RunRecord, type TerminalStatus } from "@perdure/core/world";
import type { RunSnapshot, StoreSnapshot } from "./snapshot.ts";

/** What must be true of a store at every moment, whatever happened before. */

const TERMINAL_EVENTS: Readonly<Partial<Record<JournalEvent["type"], TerminalStatus>>> = {
  run_completed: "completed",
  run_failed: "failed",
  run_cancelled: "cancelled",
};

/**
 * Every broken invariant of a store, in words; empty when there is none. With `now`, a run with unread mail that
 * nobody holds must be due by then.
 */
export function violationsOf(store: StoreSnapshot, options: { readonly now?: number } = {}): string[] {
  const found = store.runs.flatMap((run) => violationsOfRun(run, options));
  const owners = new Map<string, string>();
  const keys = new Map<string, string>();
  for (const { row, journal } of store.runs) {
    for (const [token, hookId] of liveHooks({ row, journal })) {
      const hook = hookName(row.runId, hookId);
      const owner = owners.get(token);
      if (owner !== undefined) found.push(`token ${show(token)} is live for ${owner} and ${hook}`);
      owners.set(token, hook);
    }
    if (row.idempotencyKey !== null && !isTerminal(row.status)) {
      const key = JSON.stringify([row.workflow, row.idempotencyKey]);
      const holder = keys.get(key);
      if (holder !== undefined) found.push(`start key ${key} is held by runs ${holder} and ${row.runId}`);
      keys.set(key, row.runId);
    }
  }
  const seen = new Set<string>();
  for (const hook of store.hooks) {
    if (seen.has(hook.token)) found.push(`token ${show(hook.token)} is listed twice`);
    seen.add(hook.token);
    const name = hookName(hook.runId, hook.hookId);
    if (owners.get(hook.token) !== name) {
      found.push(`${name} has token ${show(hook.token)}, which the journals do not tell`);
    }
  }
  for (const [token, name] of owners) {
    if (!seen.has(token)) found.push(`${name} lost its token ${show(token)}`);
  }
  return found;
}

/** Every broken invariant of one run, in words. */
export function violationsOfRun(run: RunSnapshot, options: { readonly now?: number } = {}): string[] {
  const { row } = run;
  const found: string[] = [];
  const require = (holds: boolean, what: string) => {
    if (!holds) found.push(`run ${row.runId}: ${what}`);
  };
  checkJournal(run, require);
  checkRow(run, require);
  checkMailbox(run, options.now, require);
  return found;
}

type Require = (holds: boolean, what: string) => void;

function checkJournal({ row, journal }: RunSnapshot, require: Require): void {
  require(journal.length === row.seq, `the row tells ${row.seq} events, the journal has ${journal.length}`);
  for (const [index, event] of journal.entries()) {
    require(event.seq === index + 1, `event ${index + 1} of the journal has seq ${event.seq}`);
    require(event.type !== "run_created" || index === 0, `run_created again at seq ${event.seq}`);
    const ends = TERMINAL_EVENTS[event.type] !== undefined;
    require(!ends || index === journal.length - 1, `${event.type} at seq ${event.seq} is not the last event`);
  }
  require(journal[0]?.type === "run_created", `the journal begins with ${journal[0]?.type}`);
}

/** The row is the fold of the journal. */
function checkRow({ row, journal }: RunSnapshot, require: Require): void {
  const { status, owner, dueAt } = row;
  const started = journal.find(({ type }) => type === "run_started");
  const end = journal.find(({ type }) => TERMINAL_EVENTS[type] !== undefined);
  require(row.createdAt === journal[0]?.at, `createdAt ${row.createdAt}, run_created at ${journal[0]?.at}`);
  require(row.startedAt ===
    (started?.at ?? null), `startedAt ${row.startedAt}, run_started at ${started?.at}`);
  require(row.completedAt === (end?.at ?? null), `completedAt ${row.completedAt}, ended at ${end?.at}`);
  if (end !== undefined) {
    require(status === TERMINAL_EVENTS[end.type], `status ${status} after ${end.type}`);
    require(owner === null && dueAt === null, `ended, but with owner ${owner} and dueAt ${dueAt}`);
    return;
  }
  require(!isTerminal(status), `status ${status} without an event that ends the run`);
  require(status !== "pending" || started === undefined, "status pending after run_started");
  require(status !== "running" || started !== undefined, "status running without run_started");
  require(owner === null ||
    (row.epoch > 0 && dueAt !== null), `leased to ${owner}, but without epoch or dueAt`);
  const waits = status === "diverged" || liveHooks({ row, journal }).size > 0;
  require(dueAt !== null || waits, "not ended, never due, and neither diverged nor with a live hook");
}

function checkMailbox({ row, mail }: RunSnapshot, now: number | undefined, require: Require): void {
  const { mailSeq, mailDone, owner, dueAt } = row;
  require(mailDone <= mailSeq, `mailDone ${mailDone} is beyond mailSeq ${mailSeq}`);
  require(mail.length ===
    mailSeq - mailDone, `${mail.length} messages for mailSeq ${mailSeq}, mailDone ${mailDone}`);
  for (const [index, message] of mail.entries()) {
    const place = mailDone + index + 1;
    require(message.mailSeq === place, `message ${place} has mailSeq ${message.mailSeq}`);
  }
  const ids = new Set(mail.map(({ messageId }) => messageId));
  require(ids.size === mail.length, "a message is in the mailbox twice");
  if (mailSeq > mailDone && owner === null && !isTerminal(row.status)) {
    require(dueAt !== null && (now === undefined || dueAt <= now), `unread mail, but due at ${dueAt}`);
  }
}

/** Token → hook id of the hooks that a journal leaves live. */
function liveHooks({
  row,
  journal,
}: {
  row: RunRecord;
  journal: readonly JournalEvent[];
}): Map<string, string> {
  const tokens = new Map<string, string>();
  if (isTerminal(row.status)) return tokens;
  for (const { type, id, name } of journal) {
    if (type === "hook_created" && id !== null && name !== null) tokens.set(name, id);
    if (type !== "hook_disposed") continue;
    for (const [token, hookId] of tokens) if (hookId === id) tokens.delete(token);
  }
  return tokens;
}

function hookName(runId: string, hookId: string): string {
  return `hook ${hookId} of run ${runId}`;
}

function show(token: string): string {
  return JSON.stringify(token.length > 60 ? `${token.slice(0, 60)}…` : token);
}
