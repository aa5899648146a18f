/**
 * Starting runs: row, first events, first mail, names and first lease in one transaction.
 */
import { type CreateRun, type CreateRunResult, isTerminal, type StartOutcome } from "@perdure/core/world";
import { writeAttributes } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { mailboxes } from "./mailbox.ts";
import { names, toHeldName } from "./names.ts";
import { RUN_COLUMNS, type RunRow, toRunRecord } from "./schema.ts";
import type { StoreClock, Times } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { toStored, toStoredOrNull } from "./text.ts";

/** Starts one run, within a transaction. */
export type Start = (request: CreateRun, times: Times) => CreateRunResult;

export function starts(connection: Connection, tables: Tables): Start {
  const selectRun = connection.prepare<RunRow>(
    "select run",
    `SELECT ${RUN_COLUMNS} FROM ${tables.runs} r WHERE r.run_id = ?`,
  );
  const insertRun = connection.prepare(
    "insert run",
    `INSERT INTO ${tables.runs}
       (run_id, workflow, queue, status, epoch, claim_id, lost_claims, generation, first_seq, seq, bytes, mail_seq, mail_done,
        end_seq, end_done, owner, due_at, created_at, idempotency_key, state)
     VALUES (?, ?, ?, 'pending', ?, ?, 0, 0, 1, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?, ?)`,
  );
  const insertEvent = connection.prepare(
    "insert event",
    `INSERT INTO ${tables.events} (run, seq, type, at, id, name, data) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const { holder, take } = names(connection, tables);
  const { find, put } = mailboxes(connection, tables);
  const setAttributes = writeAttributes(connection, tables);

  /** Why the run cannot be made: a name that another has, or a message that another got. */
  function refusalOf({ names, mail }: CreateRun, now: number): CreateRunResult | null {
    for (const { name, from } of names) {
      const row = holder(name, now);
      if (row === undefined) continue;
      const held = toHeldName(row);
      if (held.runId === from && isTerminal(row.status)) continue;
      return { outcome: "held", name: held, run: toRunRecord(row) };
    }
    for (const { messageId } of mail) {
      const sent = find(messageId);
      if (sent !== null) return { outcome: "mailed", messageId, runId: sent.runId };
    }
    return null;
  }

  function insert(request: CreateRun, times: Times): void {
    const { events, mail, lease } = request;
    const { now } = times;
    const createdAt = events[0]?.at ?? now;
    const dueAt = times.at(request.dueAt);
    const id = insertRun.run(
      toStored(request.runId),
      toStored(request.workflow),
      toStored(request.queue),
      lease === null ? 0 : 1,
      lease === null ? null : toStored(lease.claimId),
      events.length,
      events.reduce((bytes, { data }) => bytes + (data?.byteLength ?? 0), 0),
      mail.length,
      lease === null ? null : toStored(lease.owner),
      lease !== null ? now + lease.ttl : mail.length > 0 ? Math.min(dueAt, now) : dueAt,
      createdAt,
      toStoredOrNull(request.idempotencyKey),
      request.state,
    );
    if (Object.keys(request.attributes).length > 0) setAttributes(id, request.attributes);
    for (const [index, event] of events.entries()) {
      insertEvent.run(
        id,
        index + 1,
        toStored(event.type),
        event.at,
        toStoredOrNull(event.id),
        toStoredOrNull(event.name),
        event.data,
      );
    }
    for (const claim of request.names) {
      const freeAt = claim.freeAt === 0 ? 0 : times.at(claim.freeAt);
      take(id, { ...claim, freeAt }, createdAt);
    }
    for (const [index, message] of mail.entries()) put(id, index + 1, message, message.id);
  }

  return (request, times) => {
    const { runId, lease } = request;
    const taken = lease === null ? null : { runId, epoch: 1, claimId: lease.claimId };
    const existing = selectRun.get(toStored(runId));
    if (existing !== undefined) {
      const { epoch, claimId, owner } = toRunRecord(existing);
      const stillHeld = epoch === 1 && owner !== null && claimId === taken?.claimId;
      return { outcome: "created", lease: stillHeld ? taken : null };
    }
    const refusal = refusalOf(request, times.now);
    if (refusal !== null) return refusal;
    insert(request, times);
    return { outcome: "created", lease: taken };
  };
}

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

export function createRuns(connection: Connection, clock: StoreClock, start: Start): CreateRuns {
  return (batch, now) =>
    connection.write(() => {
      const times = clock.read(now);
      const results = batch.map((request) => start(request, times));
      const due = results.some((result) => result.outcome === "created" && result.lease === null);
      return { results, due };
    });
}
