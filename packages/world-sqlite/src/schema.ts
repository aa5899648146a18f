/**
 * The tables of one namespace, and how their rows become records.
 */
import { attributesFromText, type JournalEvent, type Mail, type RunRecord } from "@perdure/core/world";
import { bytesOrNull, Damage, number, numberOrNull, text, textOrNull } from "./cells.ts";
import { createRecords } from "./records-schema.ts";
import type { Tables } from "./tables.ts";
import type { StoredText } from "./text.ts";

/**
 * Version 1.
 *
 * - `id` stands for the run in every other table: 1 to 4 bytes in place of the run id's 31.
 * - `events` and `mail` are ordinary tables with a narrow unique index, not clustered on their key. New rows of all
 *   runs then lie side by side at the end of the table, and a batch that adds two events to each of 100 runs dirties a
 *   dozen pages in place of 100: with fsync that is three times the throughput.
 * - A consumed message has lost its `data`, and its `at` is the time at which it was consumed: `restart.ts` needs it.
 * - Nothing refers to anything by a foreign key: rows that belong to a run are written and deleted in one transaction
 *   with it, and checking would cost a look-up per event.
 */
export function createTables(tables: Tables): string {
  const { runs, events, mail, attributes, clock } = tables;
  return `
    CREATE TABLE ${runs} (
      id INTEGER PRIMARY KEY,
      run_id TEXT NOT NULL UNIQUE,
      workflow TEXT NOT NULL,
      queue TEXT NOT NULL,
      status TEXT NOT NULL,
      epoch INTEGER NOT NULL,
      claim_id TEXT,
      lost_claims INTEGER NOT NULL,
      generation INTEGER NOT NULL,
      first_seq INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      bytes INTEGER NOT NULL,
      mail_seq INTEGER NOT NULL,
      mail_done INTEGER NOT NULL,
      end_seq INTEGER NOT NULL,
      end_done INTEGER NOT NULL,
      owner TEXT,
      due_at INTEGER,
      created_at INTEGER NOT NULL,
      started_at INTEGER,
      completed_at INTEGER,
      idempotency_key TEXT,
      attributes TEXT,
      output BLOB,
      error BLOB,
      state BLOB
    );
    CREATE INDEX ${runs}_due ON ${runs} (queue, due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX ${runs}_created ON ${runs} (created_at, run_id);
    CREATE INDEX ${runs}_by_workflow ON ${runs} (workflow, created_at, run_id);
    CREATE INDEX ${runs}_by_queue ON ${runs} (queue, created_at, run_id);
    CREATE INDEX ${runs}_by_status ON ${runs} (status, created_at, run_id);
    CREATE INDEX ${runs}_completed ON ${runs} (completed_at, run_id) WHERE completed_at IS NOT NULL;

    CREATE TABLE ${attributes} (
      key TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      run_id TEXT NOT NULL,
      run INTEGER NOT NULL,
      PRIMARY KEY (key, created_at, run_id)
    ) WITHOUT ROWID;
    CREATE INDEX ${attributes}_by_run ON ${attributes} (run);

    CREATE TABLE ${events} (
      run INTEGER NOT NULL,
      seq INTEGER NOT NULL,
      type TEXT NOT NULL,
      at INTEGER NOT NULL,
      id TEXT,
      name TEXT,
      data BLOB,
      PRIMARY KEY (run, seq)
    );

    CREATE TABLE ${mail} (
      run INTEGER NOT NULL,
      at_end INTEGER NOT NULL,
      mail_seq INTEGER NOT NULL,
      message_id TEXT NOT NULL UNIQUE,
      type TEXT NOT NULL,
      id TEXT,
      at INTEGER NOT NULL,
      data BLOB,
      PRIMARY KEY (run, at_end, mail_seq)
    );

    CREATE TABLE ${clock} (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      boot TEXT NOT NULL,
      monotonic REAL NOT NULL,
      time REAL NOT NULL
    );
    ${createRecords(tables)}
  `;
}

/** A run as {@link RUN_COLUMNS} selects it. */
export interface RunRow {
  readonly id: number;
  readonly runId: StoredText;
  readonly workflow: StoredText;
  readonly queue: StoredText;
  readonly status: RunRecord["status"];
  readonly epoch: number;
  readonly claimId: StoredText | null;
  readonly lostClaims: number;
  readonly generation: number;
  readonly firstSeq: number;
  readonly seq: number;
  readonly bytes: number;
  readonly mailSeq: number;
  readonly mailDone: number;
  readonly endSeq: number;
  readonly endDone: number;
  readonly owner: StoredText | null;
  readonly dueAt: number | null;
  readonly output: Uint8Array | null;
  readonly error: Uint8Array | null;
  readonly state: Uint8Array | null;
  readonly attributes: string | null;
  readonly idempotencyKey: StoredText | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
}

/** All columns of a run, for a query in which its table is called `r`. */
export const RUN_COLUMNS: string = runColumns(true);

/** {@link RUN_COLUMNS}, with or without the payloads. */
export function runColumns(payloads: boolean): string {
  return `r.id, r.run_id AS runId, r.workflow, r.queue, r.status, r.epoch, r.claim_id AS claimId,
  r.lost_claims AS lostClaims, r.generation, r.first_seq AS firstSeq, r.seq, r.bytes, r.mail_seq AS mailSeq,
  r.mail_done AS mailDone, r.end_seq AS endSeq, r.end_done AS endDone, r.owner, r.due_at AS dueAt,
  ${payloads ? "r.output, r.error, r.state" : "NULL AS output, NULL AS error, NULL AS state"}, r.attributes,
  r.idempotency_key AS idempotencyKey, r.created_at AS createdAt, r.started_at AS startedAt,
  r.completed_at AS completedAt`;
}

/** @throws {Damage} for a row that this World has not written */
export function toRunRecord(row: RunRow): RunRecord {
  return {
    runId: text(row.runId, "run_id"),
    workflow: text(row.workflow, "workflow"),
    queue: text(row.queue, "queue"),
    status: text(row.status, "status") as RunRecord["status"],
    epoch: number(row.epoch, "epoch"),
    claimId: textOrNull(row.claimId, "claim_id"),
    lostClaims: number(row.lostClaims, "lost_claims"),
    generation: number(row.generation, "generation"),
    firstSeq: number(row.firstSeq, "first_seq"),
    seq: number(row.seq, "seq"),
    bytes: number(row.bytes, "bytes"),
    mailSeq: number(row.mailSeq, "mail_seq"),
    mailDone: number(row.mailDone, "mail_done"),
    endSeq: number(row.endSeq, "end_seq"),
    endDone: number(row.endDone, "end_done"),
    owner: textOrNull(row.owner, "owner"),
    dueAt: numberOrNull(row.dueAt, "due_at"),
    output: bytesOrNull(row.output, "output"),
    error: bytesOrNull(row.error, "error"),
    state: bytesOrNull(row.state, "state"),
    attributes: attributesIn(row.attributes),
    idempotencyKey: textOrNull(row.idempotencyKey, "idempotency_key"),
    createdAt: number(row.createdAt, "created_at"),
    startedAt: numberOrNull(row.startedAt, "started_at"),
    completedAt: numberOrNull(row.completedAt, "completed_at"),
  };
}

function attributesIn(cell: string | null): RunRecord["attributes"] {
  try {
    return attributesFromText(textOrNull(cell, "attributes"));
  } catch (error) {
    if (error instanceof Damage) throw error;
    throw new Damage("its column attributes holds no attributes");
  }
}

/** An event as {@link EVENT_COLUMNS} selects it. */
export type EventTuple = readonly [
  seq: number,
  type: StoredText,
  at: number,
  id: StoredText | null,
  name: StoredText | null,
  data: Uint8Array | null,
];

export const EVENT_COLUMNS = "seq, type, at, id, name, data";

/**
 * Events that follow each other after the seq `after`.
 *
 * @throws {Damage} where one is missing or was not written by this World
 */
export function toJournal(rows: readonly EventTuple[], after: number): JournalEvent[] {
  return rows.map(([seq, type, at, id, name, data], index) => {
    const expected = after + 1 + index;
    if (seq !== expected) throw new Damage(`event ${expected} of its journal is missing`);
    return {
      seq,
      type: text(type, "type"),
      at: number(at, "at"),
      id: textOrNull(id, "id"),
      name: textOrNull(name, "name"),
      data: bytesOrNull(data, "data"),
    };
  });
}

/** A message as {@link MAIL_COLUMNS} selects it. */
export interface MailRow {
  readonly mailSeq: number;
  readonly messageId: StoredText;
  readonly type: StoredText;
  readonly id: StoredText | null;
  readonly at: number;
  readonly data: Uint8Array | null;
}

/** All columns of a message, for a query in which its table is called `m`. */
export const MAIL_COLUMNS = "m.mail_seq AS mailSeq, m.message_id AS messageId, m.type, m.id, m.at, m.data";

/** @throws {Damage} for a row that this World has not written */
export function toMail(row: MailRow): Mail {
  return {
    mailSeq: number(row.mailSeq, "mail_seq"),
    messageId: text(row.messageId, "message_id"),
    type: text(row.type, "type"),
    id: textOrNull(row.id, "id"),
    at: number(row.at, "at"),
    data: bytesOrNull(row.data, "data"),
  };
}
