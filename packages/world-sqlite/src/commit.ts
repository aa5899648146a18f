/**
 * THE write verb: one transaction per batch; per commit one look at the row, one insert per event, one update.
 */

import type { SQLInputValue } from "node:sqlite";
import {
  type CommitResult,
  type HookConflict,
  isTerminal,
  type LeaseChange,
  type RunCommit,
  type RunPatch,
  type RunStatus,
} from "@perdure/core/world";
import { writeAttributes } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { hookTokens } from "./hooks.ts";
import type { Statement } from "./statement.ts";
import type { StoreClock, Times } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { fromStoredOrNull, type StoredText, toStored, toStoredOrNull } from "./text.ts";

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
  dueAt: number | null,
  /** 1 while somebody holds the lease. */
  held: number,
];

const HELD_COLUMNS =
  "id, status, epoch, claim_id, seq, bytes, mail_seq, mail_done, due_at, owner IS NOT NULL";

function toHeldRow([id, status, epoch, claimId, seq, bytes, mailSeq, mailDone, dueAt, held]: HeldTuple) {
  return { id, status, epoch, claimId, seq, bytes, mailSeq, mailDone, dueAt, held };
}

const PATCH_COLUMNS: readonly (readonly [Exclude<keyof RunPatch, "attributes" | "queue">, string])[] = [
  ["status", "status"],
  ["startedAt", "started_at"],
  ["completedAt", "completed_at"],
  ["output", "output"],
  ["error", "error"],
  ["state", "state"],
  ["lostClaims", "lost_claims"],
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
  // The payload of a consumed message is in the journal; what stays is its id, for messages sent twice.
  const clearMail = connection.prepare(
    "clear mail",
    `UPDATE ${tables.mail} SET data = NULL WHERE run = ? AND mail_seq > ? AND mail_seq <= ?`,
  );
  const hooks = hookTokens(connection, tables);
  const update = updateRun(connection, tables);
  const setAttributes = writeAttributes(connection, tables);

  function commitRun(request: RunCommit, times: Times): CommitResult {
    const found = selectRun.get(toStored(request.runId));
    if (found === undefined) return { outcome: "finished" };
    const row = toHeldRow(found);
    const last = request.seq + request.events.length;
    if (isRepeated(request, row)) {
      const conflicts = hooks.conflictsBetween(row.id, request.seq, last);
      return { outcome: "committed", mailSeq: row.mailSeq, conflicts };
    }
    if (isTerminal(row.status)) return { outcome: "finished" };
    if (!isClaimOf(request, row) || row.held === 0) return { outcome: "fenced" };
    if (row.seq !== request.seq) return { outcome: "out_of_step", seq: row.seq };

    const conflicts = append(row, request);
    if (request.mailDone > row.mailDone) clearMail.run(row.id, row.mailDone, request.mailDone);
    if (request.run.status !== undefined && isTerminal(request.run.status)) hooks.freeAll(row.id);
    update(row, request, times);
    if (request.run.attributes !== undefined) setAttributes(row.id, request.run.attributes);
    return { outcome: "committed", mailSeq: row.mailSeq, conflicts };
  }

  function append(row: HeldRow, request: RunCommit): HookConflict[] {
    const conflicts: HookConflict[] = [];
    let seq = request.seq;
    for (const event of request.events) {
      seq += 1;
      let { type, data } = event;
      if (type === "hook_created" && event.id !== null && event.name !== null) {
        const owner = hooks.take(row.id, event.id, event.name, seq);
        if (owner !== null) {
          type = "hook_conflict";
          data = new TextEncoder().encode(owner);
          conflicts.push({ hookId: event.id, runId: owner });
        }
      } else if (type === "hook_disposed" && event.id !== null) {
        hooks.free(row.id, event.id);
      }
      insertEvent.run(
        row.id,
        seq,
        type,
        event.at,
        toStoredOrNull(event.id),
        toStoredOrNull(event.name),
        data,
      );
    }
    return conflicts;
  }

  return (batch, now) =>
    connection.write(() => {
      const times = clock.read(now);
      return batch.map((request) => commitRun(request, times));
    });
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

type UpdateRun = (row: HeldRow, request: RunCommit, times: Times) => void;

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

  return (row, request, times) => {
    const { lease, run, events } = request;
    // A commit without events can arrive late, after its own repetition: consumed mail does not come back.
    const mailDone = Math.max(row.mailDone, request.mailDone);
    const parameters: SQLInputValue[] = [
      request.seq + events.length,
      events.reduce((bytes, { data }) => bytes + (data?.byteLength ?? 0), row.bytes),
      mailDone,
      dueAfter(row, lease, mailDone, times),
    ];
    let columns = lease.type === "hold" ? "" : ", owner = NULL";
    for (const [key, column] of PATCH_COLUMNS) {
      const value = run[key];
      if (value === undefined) continue;
      columns += `, ${column} = ?`;
      parameters.push(value);
    }
    if (run.queue !== undefined) {
      columns += ", queue = ?";
      parameters.push(toStored(run.queue));
    }
    parameters.push(row.id);
    statementFor(columns).run(...parameters);
  };
}

function dueAfter(row: HeldRow, lease: LeaseChange, mailDone: number, times: Times): number | null {
  const { now } = times;
  switch (lease.type) {
    case "hold":
      return Math.max(row.dueAt ?? 0, now + lease.ttl);
    case "park":
      // The transaction holds the write lock: no message can arrive between the look at the row and its update.
      if (row.mailSeq > mailDone) return now;
      return lease.dueAt === null ? null : times.at(lease.dueAt);
    case "finish":
      return null;
  }
}
