/**
 * Starting runs: row, `run_created` event, start key and first lease in one transaction.
 */
import { type CreateRun, type CreateRunResult, isTerminal, type StartOutcome } from "@perdure/core/world";
import { writeAttributes } from "./attributes.ts";
import type { Connection } from "./connection.ts";
import { RUN_COLUMNS, type RunRow, toRunRecord } from "./schema.ts";
import type { StoreClock, Times } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { type StoredText, toStored, toStoredOrNull } from "./text.ts";

interface KeyRow extends RunRow {
  readonly fingerprint: StoredText;
  readonly expiresAt: number | null;
}

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

export function createRuns(connection: Connection, tables: Tables, clock: StoreClock): CreateRuns {
  const selectRun = connection.prepare<RunRow>(
    "select run",
    `SELECT ${RUN_COLUMNS} FROM ${tables.runs} r WHERE r.run_id = ?`,
  );
  const selectKey = connection.prepare<KeyRow>(
    "select start key",
    `SELECT ${RUN_COLUMNS}, k.fingerprint, k.expires_at AS expiresAt
     FROM ${tables.startKeys} k JOIN ${tables.runs} r ON r.id = k.run WHERE k.workflow = ? AND k.key = ?`,
  );
  const insertRun = connection.prepare(
    "insert run",
    `INSERT INTO ${tables.runs}
       (run_id, workflow, queue, status, epoch, claim_id, lost_claims, seq, bytes, mail_seq, mail_done, owner, due_at, created_at,
        idempotency_key, state)
     VALUES (?, ?, ?, 'pending', ?, ?, 0, 1, ?, 0, 0, ?, ?, ?, ?, ?)`,
  );
  const insertEvent = connection.prepare(
    "insert event",
    `INSERT INTO ${tables.events} (run, seq, type, at, id, name, data) VALUES (?, 1, ?, ?, ?, ?, ?)`,
  );
  const insertKey = connection.prepare(
    "insert start key",
    `INSERT OR REPLACE INTO ${tables.startKeys} (workflow, key, run, fingerprint, expires_at) VALUES (?, ?, ?, ?, ?)`,
  );

  const setAttributes = writeAttributes(connection, tables);

  function create(request: CreateRun, times: Times): CreateRunResult {
    const runId = toStored(request.runId);
    const workflow = toStored(request.workflow);
    const { event, startKey, lease } = request;
    const { now } = times;
    const taken = lease === null ? null : { runId: request.runId, epoch: 1, claimId: lease.claimId };

    const existing = selectRun.get(runId);
    if (existing !== undefined) {
      const { epoch, claimId, owner } = toRunRecord(existing);
      const stillHeld = epoch === 1 && owner !== null && claimId === taken?.claimId;
      return { outcome: "created", lease: stillHeld ? taken : null };
    }

    if (startKey !== null) {
      const holder = selectKey.get(workflow, toStored(startKey.key));
      if (holder !== undefined && !isFree(holder, now)) {
        const same = sameText(holder.fingerprint, toStored(startKey.fingerprint));
        return { outcome: same ? "exists" : "mismatch", run: toRunRecord(holder) };
      }
    }

    const id = insertRun.run(
      runId,
      workflow,
      toStored(request.queue),
      lease === null ? 0 : 1,
      lease === null ? null : toStored(lease.claimId),
      event.data?.byteLength ?? 0,
      lease === null ? null : toStored(lease.owner),
      lease === null ? times.at(request.dueAt) : now + lease.ttl,
      event.at,
      startKey === null ? null : toStored(startKey.key),
      request.state,
    );
    if (Object.keys(request.attributes).length > 0) setAttributes(id, request.attributes);
    insertEvent.run(
      id,
      event.type,
      event.at,
      toStoredOrNull(event.id),
      toStoredOrNull(event.name),
      event.data,
    );
    if (startKey !== null) {
      const expiresAt = startKey.expiresAt === null ? null : times.at(startKey.expiresAt);
      insertKey.run(workflow, toStored(startKey.key), id, toStored(startKey.fingerprint), expiresAt);
    }
    return { outcome: "created", lease: taken };
  }

  return (batch, now) =>
    connection.write(() => {
      const times = clock.read(now);
      const results = batch.map((request) => create(request, times));
      const due = results.some((result) => result.outcome === "created" && result.lease === null);
      return { results, due };
    });
}

function isFree(holder: KeyRow, now: number): boolean {
  return isTerminal(holder.status) && holder.expiresAt !== null && holder.expiresAt <= now;
}

function sameText(a: StoredText, b: StoredText): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return Buffer.compare(a, b) === 0;
}
