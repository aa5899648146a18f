/**
 * Reading: queries that change nothing and lock nothing. Pages continue after the last key of the page before, so
 * nothing that is created or deleted meanwhile shifts them. Each is one statement, which sees the store at one moment at
 * every isolation level.
 */
import type { Mail, OpenStore } from "@perdure/core/world";
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Connection } from "./connection.ts";
import { listing } from "./listing.ts";
import { numbers } from "./packing.ts";
import {
  type EventsTable,
  type MailTable,
  type Schema,
  toJournalEvent,
  toMail,
  toRunRecord,
} from "./schema.ts";
import type { Tables } from "./tables.ts";
import { toStored } from "./text.ts";

const RUN_COLUMNS = [
  ...([
    "r.run_id",
    "r.workflow",
    "r.queue",
    "r.status",
    "r.epoch",
    "r.claim_id",
    "r.lost_claims",
    "r.generation",
    "r.first_seq",
    "r.seq",
    "r.bytes",
    "r.mail_seq",
    "r.mail_done",
    "r.end_seq",
    "r.end_done",
    "r.owner",
  ] as const),
  ...([
    "r.due_at",
    "r.output",
    "r.error",
    "r.state",
    "r.attributes",
    "r.idempotency_key",
    "r.created_at",
    "r.started_at",
  ] as const),
  "r.completed_at" as const,
];

export function reads(
  connection: Connection,
  tables: Tables,
): Omit<OpenStore["reads"], "getNames" | "listNames"> {
  // The namespace is part of the names, which Kysely's types need not know.
  const runs = `${tables.prefix}runs as r` as "runs as r";
  const inSchema = (db: Kysely<Schema>): Kysely<Schema> => db.withSchema(tables.schema);

  return {
    async getRuns(runIds) {
      if (runIds.length === 0) return [];
      const stored = runIds.map(toStored);
      const rows = await connection.query("select runs", (db) =>
        inSchema(db)
          .selectFrom(runs)
          .select(RUN_COLUMNS)
          .where("r.run_id", "=", sql<string>`any(${stored}::text[])`)
          .compile(),
      );
      const found = new Map(rows.map((row) => [row.run_id, toRunRecord(row)]));
      return stored.map((runId) => found.get(runId) ?? null);
    },

    ...listing(connection, tables),

    async listEvents(runId, after, limit) {
      const rows = await connection.query("list events", (db) =>
        sql<EventsTable>`
          SELECT e.* FROM ${sql.raw(tables.runs)} r
          CROSS JOIN LATERAL ${eventPage(tables, sql`r.id`, sql`greatest(${after}, r.first_seq - 1)`, sql`${limit}`)} e
          WHERE r.run_id = ${toStored(runId)} ORDER BY e.seq`.compile(db),
      );
      return rows.map(toJournalEvent);
    },

    async listMail(wanted) {
      if (wanted.length === 0) return [];
      const rows = await connection.query("list mail", (db) =>
        sql<MailTable & { place: number }>`
          SELECT c.place::int, m.mail_seq, m.message_id, m.type, m.id, m.at, m.data
          FROM unnest(
            ${wanted.map(({ runId }) => toStored(runId))}::text[], ${numbers(wanted.map(({ after }) => after))}::int[]
          ) WITH ORDINALITY AS c(run_id, after, place)
          JOIN ${sql.raw(tables.runs)} r ON r.run_id = c.run_id
          JOIN ${sql.raw(tables.mail)} m ON m.run = r.id AND NOT m.at_end
            AND m.mail_seq > greatest(c.after, r.mail_done)
          ORDER BY c.place, m.mail_seq`.compile(db),
      );
      const mailboxes: Mail[][] = wanted.map(() => []);
      for (const row of rows) mailboxes[row.place - 1]?.push(toMail(row));
      return mailboxes;
    },

    async listEndMail(runId, after, limit) {
      const rows = await connection.query("list end mail", (db) =>
        sql<MailTable>`
          SELECT m.mail_seq, m.message_id, m.type, m.id, m.at, m.data
          FROM ${sql.raw(tables.runs)} r JOIN ${sql.raw(tables.mail)} m ON m.run = r.id AND m.at_end AND m.mail_seq > ${after}
          WHERE r.run_id = ${toStored(runId)} ORDER BY m.mail_seq LIMIT ${limit}`.compile(db),
      );
      return rows.map(toMail);
    },
  };
}

/** A page of a journal ends once its events have so many bytes, so that it arrives within a call's deadline. */
export const PAGE_BYTES: number = 32 * 1024 * 1024;

/**
 * The next events of a run after a seq, as a subquery: at most so many, fewer where they are large, and one at least. The
 * size of a value is known without reading it.
 */
export function eventPage(tables: Tables, run: Sql, after: Sql, limit: Sql): Sql {
  return sql`(
    SELECT p.run, p.seq, p.type, p.at, p.id, p.name, p.data, p.holder FROM (
      SELECT e.*, sum(coalesce(octet_length(e.data), 0)) OVER (ORDER BY e.seq) - coalesce(octet_length(e.data), 0) AS before
      FROM ${sql.raw(tables.events)} e WHERE e.run = ${run} AND e.seq > ${after} ORDER BY e.seq LIMIT ${limit}
    ) p WHERE p.before <= ${sql.lit(PAGE_BYTES)}
  )`;
}

type Sql = RawBuilder<unknown>;
