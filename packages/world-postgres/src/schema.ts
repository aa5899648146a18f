/**
 * The tables of one namespace, and how their rows become records.
 */
import { attributesFromText, type JournalEvent, type Mail, type RunRecord } from "@perdure/core/world";
import type { Generated } from "kysely";
import { claimFunction, renewFunction } from "./functions/claim.ts";
import { commitFunction } from "./functions/commit.ts";
import { commitRunFunction } from "./functions/commit-run.ts";
import { createRunsFunction } from "./functions/create-runs.ts";
import { deleteRunsFunction } from "./functions/delete-runs.ts";
import { deliverFunction } from "./functions/deliver.ts";
import { startFunction } from "./functions/start.ts";
import {
  appendChunksFunction,
  closeStreamFunction,
  createStreamTables,
  readChunksFunction,
} from "./functions/streams.ts";
import { writeRecordsFunction } from "./functions/write-records.ts";
import { OUTBOX_PAYLOAD } from "./hints.ts";
import { createNames } from "./names-schema.ts";
import { createOutbox } from "./outbox-schema.ts";
import { createRecords } from "./records-schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, fromStoredOrNull } from "./text.ts";

/**
 * Version 1.
 *
 * - `id` stands for the run in events, mail and names: 8 bytes in place of the run id's 31, in rows and in indexes.
 * - Text is compared by its bytes (`COLLATE "C"`): exactly, and the same on every operating system.
 * - Pages of `runs` are filled to 70 %, so that an update finds room beside its row and touches no index, as long as
 *   no indexed column changes.
 * - Events up to `swept_seq` are deleted; between it and `first_seq` are those of older generations that are not yet.
 * - `named` tells whether the run has ever had a name, so that the end of one that had none looks for none.
 * - An event that was refused has the run id of the name's holder beside it, in place of data.
 * - Nothing refers to anything by a foreign key: rows that belong to a run are written and deleted in one transaction
 *   with it, and checking would cost a look-up per event.
 */
export function createTables(tables: Tables): string {
  const { runs, events, mail, attributes, runIds, prefix } = tables;
  const index = (name: string): string => `"${prefix}${name}"`;
  return `
    CREATE SEQUENCE ${runIds};
    CREATE TABLE ${runs} (
      id bigint NOT NULL DEFAULT nextval('${runIds}'),
      run_id text COLLATE "C" NOT NULL,
      workflow text COLLATE "C" NOT NULL,
      queue text COLLATE "C" NOT NULL,
      status text COLLATE "C" NOT NULL,
      epoch int NOT NULL,
      claim_id text COLLATE "C",
      lost_claims int NOT NULL,
      generation int NOT NULL,
      first_seq int NOT NULL,
      swept_seq int NOT NULL,
      seq int NOT NULL,
      bytes bigint NOT NULL,
      mail_seq int NOT NULL,
      mail_done int NOT NULL,
      end_seq int NOT NULL,
      end_done int NOT NULL,
      named boolean NOT NULL,
      owner text COLLATE "C",
      due_at bigint,
      created_at bigint NOT NULL,
      started_at bigint,
      completed_at bigint,
      idempotency_key text COLLATE "C",
      attributes text COLLATE "C",
      output bytea,
      error bytea,
      state bytea,
      CONSTRAINT ${index("runs_pkey")} PRIMARY KEY (id),
      CONSTRAINT ${index("runs_run_id_key")} UNIQUE (run_id)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
    ALTER SEQUENCE ${runIds} OWNED BY ${runs}.id;
    CREATE INDEX ${index("runs_due")} ON ${runs} (queue, due_at) WHERE due_at IS NOT NULL;
    CREATE INDEX ${index("runs_created")} ON ${runs} (created_at, run_id);
    CREATE INDEX ${index("runs_by_workflow")} ON ${runs} (workflow, created_at, run_id);
    CREATE INDEX ${index("runs_by_queue")} ON ${runs} (queue, created_at, run_id);
    CREATE INDEX ${index("runs_by_status")} ON ${runs} (status, created_at, run_id);
    CREATE INDEX ${index("runs_completed")} ON ${runs} (completed_at, run_id) WHERE completed_at IS NOT NULL;

    CREATE TABLE ${attributes} (
      key text COLLATE "C" NOT NULL,
      run bigint NOT NULL,
      CONSTRAINT ${index("attributes_pkey")} PRIMARY KEY (key, run)
    );
    CREATE INDEX ${index("attributes_by_run")} ON ${attributes} (run);

    CREATE TABLE ${events} (
      run bigint NOT NULL,
      seq int NOT NULL,
      type text COLLATE "C" NOT NULL,
      at bigint NOT NULL,
      id text COLLATE "C",
      name text COLLATE "C",
      data bytea,
      holder text COLLATE "C",
      CONSTRAINT ${index("events_pkey")} PRIMARY KEY (run, seq)
    );

    CREATE TABLE ${mail} (
      run bigint NOT NULL,
      at_end boolean NOT NULL,
      mail_seq int NOT NULL,
      message_id text COLLATE "C" NOT NULL,
      type text COLLATE "C" NOT NULL,
      id text COLLATE "C",
      at bigint NOT NULL,
      data bytea,
      CONSTRAINT ${index("mail_pkey")} PRIMARY KEY (run, at_end, mail_seq),
      CONSTRAINT ${index("mail_message_id_key")} UNIQUE (message_id)
    );

    ${createNames(tables)}
    ${createRecords(tables)}
    ${createOutbox(tables)}
    ${createRunsFunction(tables)}
    ${claimFunction(tables)}
    ${renewFunction(tables)}
    ${commitFunction(tables)}
    ${commitRunFunction(tables)}
    ${deliverFunction(tables)}
    ${deleteRunsFunction(tables)}
    ${writeRecordsFunction(tables)}
    ${createStreamTables(tables)}
    ${appendChunksFunction(tables)}
    ${readChunksFunction(tables)}
    ${closeStreamFunction(tables)}
    ${startFunction(tables, OUTBOX_PAYLOAD)}
  `;
}

/** Every table, and the columns that it has begun with since version 1: another's table of that name has others. */
export const FIRST_COLUMNS: Readonly<Record<string, string>> = {
  versions: "version",
  runs: "id,run_id,workflow,queue,status,epoch",
  events: "run,seq,type",
  mail: "run,at_end,mail_seq",
  names: "name,run,id",
  attributes: "key,run",
  records: "key,version",
  outbox: "id,transaction,request",
  streams: "id,run,name",
  stream_writers: "id,stream,name",
  stream_chunks: "stream,place,writer",
};

/** A driver may give a bigint as a string, a number or a bigint, by what the program has set for all its pools. */
export type Bigint = string | number | bigint;

export interface RunsTable {
  readonly id: Generated<Bigint>;
  readonly run_id: string;
  readonly workflow: string;
  readonly queue: string;
  readonly status: RunRecord["status"];
  readonly epoch: number;
  readonly claim_id: string | null;
  readonly lost_claims: number;
  readonly generation: number;
  readonly first_seq: number;
  readonly seq: number;
  readonly bytes: Bigint;
  readonly mail_seq: number;
  readonly mail_done: number;
  readonly end_seq: number;
  readonly end_done: number;
  readonly owner: string | null;
  readonly due_at: Bigint | null;
  readonly output: Uint8Array | null;
  readonly error: Uint8Array | null;
  readonly state: Uint8Array | null;
  /** As JSON. */
  readonly attributes: string | null;
  readonly idempotency_key: string | null;
  readonly created_at: Bigint;
  readonly started_at: Bigint | null;
  readonly completed_at: Bigint | null;
}

export interface EventsTable {
  readonly run: Bigint;
  readonly seq: number;
  readonly type: string;
  readonly at: Bigint;
  readonly id: string | null;
  readonly name: string | null;
  readonly data: Uint8Array | null;
  readonly holder: string | null;
}

export interface MailTable {
  readonly run: Bigint;
  readonly mail_seq: number;
  readonly message_id: string;
  readonly type: string;
  readonly id: string | null;
  readonly at: Bigint;
  readonly data: Uint8Array | null;
}

/** The tables as Kysely knows them; `reads.ts` puts the namespace before their names. */
export interface Schema {
  readonly runs: RunsTable;
  readonly events: EventsTable;
  readonly mail: MailTable;
}

/** A row of `runs` as a query gives it. */
export type RunRow = Omit<RunsTable, "id">;

export function toRunRecord(row: RunRow): RunRecord {
  return {
    runId: fromStored(row.run_id),
    workflow: fromStored(row.workflow),
    queue: fromStored(row.queue),
    status: row.status,
    epoch: row.epoch,
    claimId: fromStoredOrNull(row.claim_id),
    lostClaims: row.lost_claims,
    generation: row.generation,
    firstSeq: row.first_seq,
    seq: row.seq,
    bytes: Number(row.bytes),
    mailSeq: row.mail_seq,
    mailDone: row.mail_done,
    endSeq: row.end_seq,
    endDone: row.end_done,
    owner: fromStoredOrNull(row.owner),
    dueAt: numberOrNull(row.due_at),
    output: row.output,
    error: row.error,
    state: row.state,
    attributes: attributesFromText(row.attributes),
    idempotencyKey: fromStoredOrNull(row.idempotency_key),
    createdAt: Number(row.created_at),
    startedAt: numberOrNull(row.started_at),
    completedAt: numberOrNull(row.completed_at),
  };
}

export function toJournalEvent(row: Omit<EventsTable, "run">): JournalEvent {
  const { seq, type, data, holder } = row;
  return {
    seq,
    type: fromStored(type),
    at: Number(row.at),
    id: fromStoredOrNull(row.id),
    name: fromStoredOrNull(row.name),
    data: holder === null ? data : Buffer.from(fromStored(holder)),
  };
}

export function toMail(row: Omit<MailTable, "run">): Mail {
  return {
    mailSeq: row.mail_seq,
    messageId: fromStored(row.message_id),
    type: fromStored(row.type),
    id: fromStoredOrNull(row.id),
    at: Number(row.at),
    data: row.data,
  };
}

export function numberOrNull(value: Bigint | null): number | null {
  return value === null ? null : Number(value);
}
