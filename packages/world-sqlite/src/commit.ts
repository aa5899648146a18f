/**
 * THE write verb: one transaction per batch; per commit one look at the row, one insert per event, one update.
 */

import type { SQLInputValue } from "node:sqlite";
import {
  type CommitEvent,
  type CommitResult,
  endsRun,
  isTerminal,
  type NameConflict,
  type NewEvent,
  type RunCommit,
  type RunPatch,
  type RunStatus,
} from "@perdure/core/world";
import { writeAttributes } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { names } from "./names.ts";
import { restarts } from "./restart.ts";
import type { Statement } from "./statement.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull, type StoredText, toStored, toStoredOrNull } from "./text.ts";

/** What the checks need of the row. */
type HeldRow = ReturnType<typeof toHeldRow>;

/** The row as {@link HELD_COLUMNS} selects it. */
type HeldTuple = readonly [
  id: number,
  status: RunStatus,
  epoch: number,
  claimId: StoredText | null,
  seq: number,
  bytes: number,
  mailSeq: number,
  mailDone: number,
  endSeq: number,
  endDone: number,
  dueAt: number | null,
  /** 1 while somebody holds the lease. */
  held: number,
];

const HELD_COLUMNS =
  "id, status, epoch, claim_id, seq, bytes, mail_seq, mail_done, end_seq, end_done, due_at, owner IS NOT NULL";

function toHeldRow(row: HeldTuple) {
  const [id, status, epoch, claimId, seq, bytes, mailSeq, mailDone, endSeq, endDone, dueAt, held] = row;
  return { id, status, epoch, claimId, seq, bytes, mailSeq, mailDone, endSeq, endDone, dueAt, held };
}

interface WrittenRow {
  readonly type: StoredText;
  readonly data: Uint8Array | null;
}

const PATCH_COLUMNS: readonly {
  readonly key: Exclude<keyof RunPatch, "attributes" | "queue" | "endDone">;
  readonly column: string;
}[] = [
  { key: "status", column: "status" },
  { key: "startedAt", column: "started_at" },
  { key: "completedAt", column: "completed_at" },
  { key: "output", column: "output" },
  { key: "error", column: "error" },
  { key: "state", column: "state" },
  { key: "lostClaims", column: "lost_claims" },
];

export type Commit = (batch: readonly RunCommit[], now: number) => Promise<readonly CommitResult[]>;

export function commit(connection: Connection, tables: Tables, clock: StoreClock): Commit {
  const selectRun = connection.prepareTuples<HeldTuple>(
    "select run",
    `SELECT ${HELD_COLUMNS} FROM ${tables.runs} WHERE run_id = ?`,
  );
  const insertEvent = connection.prepare(
    "insert event",
    `INSERT INTO ${tables.events} (run, seq, type, at, id, name, data) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const selectWritten = connection.prepare<WrittenRow>(
    "select written event",
    `SELECT type, data FROM ${tables.events} WHERE run = ? AND seq = ?`,
  );
  // The payload of a consumed message is in the journal; what stays is its id, for messages sent twice.
  const consumeMail = connection.prepare(
    "consume mail",
    `UPDATE ${tables.mail} SET data = NULL, at = ? WHERE run = ? AND at_end = 0 AND mail_seq > ? AND mail_seq <= ?`,
  );
  const { claim, holder, release, end } = names(connection, tables);
  const restart = restarts(connection, tables);
  const update = updateRun(connection, tables);
  const setAttributes = writeAttributes(connection, tables);

  function commitRun(request: RunCommit, now: number): CommitResult {
    const found = selectRun.get(toStored(request.runId));
    if (found === undefined) return { outcome: "finished" };
    const row = toHeldRow(found);
    const { mailSeq, endSeq } = row;
    if (isRepeated(request, row)) {
      return { outcome: "committed", mailSeq, endSeq, conflicts: conflictsWritten(row, request) };
    }
    const ours = isClaimOf(request, row) && row.held === 1;
    if (isTerminal(row.status) && (!ours || request.events.length > 0)) return { outcome: "finished" };
    if (!ours) return { outcome: "fenced" };
    if (row.seq !== request.seq) return { outcome: "out_of_step", seq: row.seq };

    const conflicts = append(row, request, now);
    const { mailDone, run } = request;
    if (mailDone > row.mailDone) consumeMail.run(now, row.id, row.mailDone, mailDone);
    if (request.restart === true) restart(row.id, request.seq, mailDone, now);
    if (endsRun(request)) end(row.id, now);
    update(row, request, now);
    if (run.attributes !== undefined) setAttributes(row.id, run.attributes);
    return { outcome: "committed", mailSeq, endSeq, conflicts };
  }

  function append(row: HeldRow, { seq, events }: RunCommit, now: number): NameConflict[] {
    const conflicts: NameConflict[] = [];
    let last = seq;
    for (const asked of events) {
      last += 1;
      const holder = nameEvent(row.id, asked, now);
      const event = holder === null ? asked : refused(asked, holder, conflicts);
      insertEvent.run(
        row.id,
        last,
        toStored(event.type),
        event.at,
        toStoredOrNull(event.id),
        toStoredOrNull(event.name),
        event.data,
      );
    }
    return conflicts;
  }

  /** Does what an event says of names; returns the run that has the name if the claim is refused. */
  function nameEvent(run: number, event: CommitEvent, now: number): string | null {
    if (event.release !== undefined) release(run, event.release);
    if (event.claim === undefined || claim(run, event.claim, event.at, now)) return null;
    return fromStored(holder(event.claim.name, now)?.holder ?? "");
  }

  /** The answer of the first sending, as the journal tells it. */
  function conflictsWritten(row: HeldRow, { seq, events }: RunCommit): NameConflict[] {
    return events.flatMap(({ claim }, index) => {
      if (claim === undefined) return [];
      const written = selectWritten.get(row.id, seq + index + 1);
      if (written === undefined || fromStored(written.type) !== claim.refusedAs) return [];
      const runId = new TextDecoder("utf-8", { ignoreBOM: true }).decode(written.data ?? undefined);
      return [{ id: claim.id, runId }];
    });
  }

  return (batch, callersNow) =>
    connection.write(() => {
      // A worker's clock follows this one: what it commits is taken as it is.
      const { now } = clock.read(callersNow);
      return batch.map((request) => commitRun(request, now));
    });
}

function refused(event: CommitEvent, holder: string, conflicts: NameConflict[]): NewEvent {
  const { claim } = event;
  if (claim === undefined) return event;
  conflicts.push({ id: claim.id, runId: holder });
  return { ...event, type: claim.refusedAs, data: new TextEncoder().encode(holder) };
}

function isClaimOf(request: RunCommit, row: HeldRow): boolean {
  return row.epoch === request.epoch && fromStoredOrNull(row.claimId) === request.claimId;
}

// One owner commits in order, so a journal of the length that this commit makes has this commit in it. Without events
// the length says nothing while the lease is held; executing the same row change again does no harm then.
function isRepeated(request: RunCommit, row: HeldRow): boolean {
  if (!isClaimOf(request, row) || row.seq !== request.seq + request.events.length) return false;
  return request.events.length > 0 || row.held === 0;
}

type UpdateRun = (row: HeldRow, request: RunCommit, now: number) => void;

/** Sets the row by the commit. There is one statement for each set of columns, prepared when it is first needed. */
function updateRun(connection: Connection, tables: Tables): UpdateRun {
  const statements = new Map<string, Statement<never>>();

  function statementFor(columns: string): Statement<never> {
    let statement = statements.get(columns);
    if (statement === undefined) {
      statement = connection.prepare(
        "update run",
        `UPDATE ${tables.runs} SET seq = ?, bytes = ?, mail_done = ?, due_at = ?${columns} WHERE id = ?`,
      );
      statements.set(columns, statement);
    }
    return statement;
  }

  return (row, request, now) => {
    const { lease, run, events, seq, restart = false } = request;
    // A commit without events can arrive late, after its own repetition: consumed mail does not come back.
    const mailDone = Math.max(row.mailDone, request.mailDone);
    const endDone = Math.max(row.endDone, run.endDone ?? 0);
    const parameters: SQLInputValue[] = [
      seq + events.length,
      events.reduce((bytes, { data }) => bytes + (data?.byteLength ?? 0), restart ? 0 : row.bytes),
      mailDone,
      dueAfter(row, request, mailDone, endDone, now),
    ];
    let columns = lease.type === "hold" ? "" : ", owner = NULL";
    if (restart) {
      columns += ", generation = generation + 1, first_seq = ?";
      parameters.push(seq + 1);
    }
    for (const { key, column } of PATCH_COLUMNS) {
      const value = run[key];
      if (value === undefined) continue;
      columns += `, ${column} = ?`;
      parameters.push(value);
    }
    if (run.queue !== undefined) {
      columns += ", queue = ?";
      parameters.push(toStored(run.queue));
    }
    if (endDone !== row.endDone) {
      columns += ", end_done = ?";
      parameters.push(endDone);
    }
    parameters.push(row.id);
    statementFor(columns).run(...parameters);
  };
}

function dueAfter(
  row: HeldRow,
  { lease, run }: RunCommit,
  mailDone: number,
  endDone: number,
  now: number,
): number | null {
  if (lease.type === "hold") return Math.max(row.dueAt ?? 0, now + lease.ttl);
  // The transaction holds the write lock: no message can arrive between the look at the row and its update.
  if (row.mailSeq > mailDone) return now;
  if (isTerminal(run.status ?? row.status) && row.endSeq > endDone) return now;
  return lease.dueAt;
}
