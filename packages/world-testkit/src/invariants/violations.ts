import { isTerminal, type JournalEvent, type TerminalStatus } from "@perdure/core/world";
import { hooks, nameViolations } from "./name-violations.ts";
import type { RunSnapshot, StoreSnapshot } from "./snapshot.ts";

/** What must be true of a store at every moment, whatever happened before. */

const TERMINAL_EVENTS: ReadonlyMap<string, TerminalStatus> = new Map([
  ["run_completed", "completed"],
  ["run_failed", "failed"],
  ["run_cancelled", "cancelled"],
]);

/**
 * Every broken invariant of a store, in words; empty when there is none. With `now`, a run with unread mail that
 * nobody holds must be due by then.
 */
export function violationsOf(store: StoreSnapshot, options: { readonly now?: number } = {}): string[] {
  return [...store.runs.flatMap((run) => violationsOfRun(run, options)), ...nameViolations(store)];
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
  checkWhole(run, require);
  checkMailboxes(run, options.now, require);
  return found;
}

type Require = (holds: boolean, what: string) => void;

function checkJournal({ row, journal }: RunSnapshot, require: Require): void {
  const { firstSeq, seq, generation } = row;
  const length = seq - firstSeq + 1;
  require(journal.length === length, `the row tells ${length} events, the journal has ${journal.length}`);
  for (const [index, event] of journal.entries()) {
    require(event.seq ===
      firstSeq + index, `event ${index + 1} from seq ${firstSeq} on has seq ${event.seq}`);
    require(event.type !== "run_created" || index === 0, `run_created again at seq ${event.seq}`);
    const ends = TERMINAL_EVENTS.has(event.type);
    require(!ends || index === journal.length - 1, `${event.type} at seq ${event.seq} is not the last event`);
  }
  require(generation > 0
    ? firstSeq > generation
    : firstSeq === 1, `generation ${generation} from seq ${firstSeq}`);
}

/** What the journal of any generation says of the row. */
function checkRow({ row, journal }: RunSnapshot, require: Require): void {
  const { status, owner, dueAt } = row;
  require(owner === null ||
    (row.epoch > 0 && dueAt !== null), `leased to ${owner}, but without epoch or dueAt`);
  const end = journal.find(({ type }) => TERMINAL_EVENTS.has(type));
  require(row.completedAt === (end?.at ?? null), `completedAt ${row.completedAt}, ended at ${end?.at}`);
  if (end !== undefined)
    require(status === TERMINAL_EVENTS.get(end.type), `status ${status} after ${end.type}`);
  else require(!isTerminal(status), `status ${status} without an event that ends the run`);
}

/** What a journal that has never been begun anew says of the row: the row is its fold. */
function checkWhole({ row, journal }: RunSnapshot, require: Require): void {
  if (row.generation > 0) return;
  const { status, dueAt } = row;
  const started = journal.find(({ type }) => type === "run_started");
  // A run that begins where another one was is pending until somebody looks at it.
  const unseen = journal[1]?.type === "run_forked" && row.startedAt === null;
  require(journal[0]?.type === "run_created", `the journal begins with ${journal[0]?.type}`);
  require(row.createdAt === journal[0]?.at, `createdAt ${row.createdAt}, run_created at ${journal[0]?.at}`);
  require(unseen ||
    row.startedAt === (started?.at ?? null), `startedAt ${row.startedAt}, run_started at ${started?.at}`);
  if (isTerminal(status)) return;
  require(unseen || status !== "pending" || started === undefined, "status pending after run_started");
  require(status !== "running" || started !== undefined, "status running without run_started");
  const waits =
    status === "diverged" || [...hooks(journal).values()].includes(true) || waitsForSystemStep(journal);
  require(dueAt !== null ||
    waits, "not ended, never due, and neither diverged nor with something that mail can end");
}

/** A system step may wait for a message, such as the end of another run. */
function waitsForSystemStep(journal: readonly JournalEvent[]): boolean {
  const open = new Set<string | null>();
  for (const { type, id } of journal) {
    if (type === "system_step_created") open.add(id);
    if (type === "system_step_completed" || type === "system_step_failed") open.delete(id);
  }
  return open.size > 0;
}

function checkMailboxes(
  { row, mail, endMail }: RunSnapshot,
  now: number | undefined,
  require: Require,
): void {
  const { mailSeq, mailDone, endSeq, endDone, owner, dueAt } = row;
  require(mailDone <= mailSeq, `mailDone ${mailDone} is beyond mailSeq ${mailSeq}`);
  require(endDone <= endSeq, `endDone ${endDone} is beyond endSeq ${endSeq}`);
  require(mail.length ===
    mailSeq - mailDone, `${mail.length} messages for mailSeq ${mailSeq}, mailDone ${mailDone}`);
  require(endMail.length ===
    endSeq - endDone, `${endMail.length} messages for endSeq ${endSeq}, endDone ${endDone}`);
  for (const [index, message] of mail.entries()) {
    const place = mailDone + index + 1;
    require(message.mailSeq === place, `message ${place} has mailSeq ${message.mailSeq}`);
  }
  for (const [index, message] of endMail.entries()) {
    const place = endDone + index + 1;
    require(message.mailSeq === place, `end mail ${place} has mailSeq ${message.mailSeq}`);
  }
  const ids = new Set([...mail, ...endMail].map(({ messageId }) => messageId));
  require(ids.size === mail.length + endMail.length, "a message is in the mailbox twice");
  const unread = mailSeq > mailDone || (isTerminal(row.status) && endSeq > endDone);
  if (unread && owner === null) {
    require(dueAt !== null && (now === undefined || dueAt <= now), `unread mail, but due at ${dueAt}`);
  }
}
