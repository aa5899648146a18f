/**
 * Reading: queries that change nothing and lock nothing. Pages continue after the last key of the page before, so
 * nothing that is created or deleted meanwhile shifts them. Each is one statement, which sees the store at one moment at
 * every isolation level.
 */
import type { HookRecord, Mail, OpenStore, RunRecord } from "@perdure/core/world";
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Connection } from "./connection.ts";
import { listing } from "./listing.ts";
import { numbers } from "./packing.ts";
import {
  type EventsTable,
  type HooksTable,
  type MailTable,
  type Schema,
  toJournalEvent,
  toMail,
  toRunRecord,
} from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored } from "./text.ts";

export type GetRuns = (runIds: readonly string[]) => Promise<readonly (RunRecord | null)[]>;

export interface Reads extends Omit<OpenStore["reads"], "getRuns"> {
  getRuns: GetRuns;
}

const RUN_COLUMNS = [
  ...([
    "r.run_id",
    "r.workflow",
    "r.queue",
    "r.status",
    "r.epoch",
    "r.claim_id",
    "r.lost_claims",
    "r.seq",
    "r.bytes",
    "r.mail_seq",
    "r.mail_done",
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

export function reads(connection: Connection, tables: Tables): Reads {
  // The namespace is part of the names, which Kysely's types need not know.
  const runs = `${tables.prefix}runs as r` as "runs as r";
  const events = `${tables.prefix}events as e` as "events as e";
  const hooks = `${tables.prefix}hooks as h` as "hooks as h";
  const inSchema = (db: Kysely<Schema>): Kysely<Schema> => db.withSchema(tables.schema);

  const selectHooks = (db: Kysely<Schema>) =>
    inSchema(db)
      .selectFrom(hooks)
      .innerJoin(runs, "r.id", "h.run")
      .innerJoin(events, (join) => join.onRef("e.run", "=", "h.run").onRef("e.seq", "=", "h.seq"))
      .select(["h.token", "h.hook_id", "r.run_id", "e.at", "e.data"]);

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
          CROSS JOIN LATERAL ${eventPage(tables, sql`r.id`, sql`${after}`, sql`${limit}`)} e
          WHERE r.run_id = ${toStored(runId)} ORDER BY e.seq`.compile(db),
      );
      return rows.map(toJournalEvent);
    },

    async listMail(wanted) {
      if (wanted.length === 0) return [];
      const rows = await connection.query("list mail", (db) =>
        sql<MailTable & { place: number }>`
          SELECT c.place::int, m.mail_seq, m.message_id, m.type, m.hook_id, m.at, m.data
          FROM unnest(
            ${wanted.map(({ runId }) => toStored(runId))}::text[], ${numbers(wanted.map(({ after }) => after))}::int[]
          ) WITH ORDINALITY AS c(run_id, after, place)
          JOIN ${sql.raw(tables.runs)} r ON r.run_id = c.run_id
          JOIN ${sql.raw(tables.mail)} m ON m.run = r.id AND m.mail_seq > greatest(c.after, r.mail_done)
          ORDER BY c.place, m.mail_seq`.compile(db),
      );
      const mailboxes: Mail[][] = wanted.map(() => []);
      for (const row of rows) mailboxes[row.place - 1]?.push(toMail(row));
      return mailboxes;
    },

    async getHookByToken(token) {
      const [row] = await connection.query("select hook", (db) =>
        selectHooks(db).where("h.token", "=", toStored(token)).compile(),
      );
      return row === undefined ? null : toHookRecord(row);
    },

    async listHooks({ runId, limit, cursor }) {
      const rows = await connection.query("list hooks", (db) => {
        let query = selectHooks(db);
        if (runId !== undefined) query = query.where("r.run_id", "=", toStored(runId));
        if (cursor !== undefined) query = query.where("h.token", ">", toStored(cursor));
        return query
          .orderBy("h.token")
          .limit(limit + 1)
          .compile();
      });
      const page = rows.slice(0, limit).map(toHookRecord);
      return { hooks: page, cursor: rows.length > limit ? (page.at(-1)?.token ?? null) : null };
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
    SELECT p.run, p.seq, p.type, p.at, p.id, p.name, p.data FROM (
      SELECT e.*, sum(coalesce(octet_length(e.data), 0)) OVER (ORDER BY e.seq) - coalesce(octet_length(e.data), 0) AS before
      FROM ${sql.raw(tables.events)} e WHERE e.run = ${run} AND e.seq > ${after} ORDER BY e.seq LIMIT ${limit}
    ) p WHERE p.before <= ${sql.lit(PAGE_BYTES)}
  )`;
}

type Sql = RawBuilder<unknown>;

type HookRow = Pick<HooksTable, "token" | "hook_id"> & { readonly run_id: string } & Pick<
    EventsTable,
    "at" | "data"
  >;

function toHookRecord(row: HookRow): HookRecord {
  return {
    token: fromStored(row.token),
    hookId: fromStored(row.hook_id),
    runId: fromStored(row.run_id),
    createdAt: Number(row.at),
    data: row.data,
  };
}
