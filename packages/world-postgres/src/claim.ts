/**
 * Leases: taking due runs and keeping them. Each workflow is one seek in the index `(workflow, due_at)`, so neither a
 * backlog of other workflows nor the number of stored runs slows a claim.
 *
 * Level: READ COMMITTED (see `connection.ts`). A claim locks rows with SKIP LOCKED, so it waits for nobody: a row that
 * another claim, a commit or a delivery is writing is passed over, and a row that was written since is looked at again
 * before it is taken. Journal and mailbox are read in queries after the claim, when nobody else can write that journal.
 * A renewal locks its rows in the order of their ids, as commits and deliveries do.
 */
import type { ClaimedRun, ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "@perdure/core/world";
import { sql } from "kysely";
import type { Connection } from "./connection.ts";
import { callOf, numbers } from "./packing.ts";
import {
  type Bigint,
  type EventsTable,
  type MailTable,
  numberOrNull,
  type RunRow,
  type Tables,
  toJournalEvent,
  toMail,
  toRunRecord,
} from "./schema.ts";
import { toStored } from "./text.ts";

interface ClaimedRow extends RunRow {
  readonly id: Bigint;
  readonly lost: boolean;
}

/** The last row of a claim's answer. */
interface TimesRow extends Pick<ClaimedRow, "due_at" | "created_at"> {
  readonly id: null;
}

export type Claim = (request: ClaimRequest) => Promise<ClaimResult>;

export function claim(connection: Connection, tables: Tables, callersClock: boolean): Claim {
  const text = callOf(tables.functions.claim, ["bigint", "text[]", "int", "text", "bigint"]);
  const [events, mail] = [sql.raw(tables.events), sql.raw(tables.mail)];

  async function eventsOf(
    rows: readonly ClaimedRow[],
    limit: number,
  ): Promise<Map<string, ClaimedRun["events"]>> {
    if (rows.length === 0) return new Map();
    // Should this process sleep here until its lease is gone, the row's `seq` still bounds what it reads.
    const found = await connection.run("select events", (db) =>
      sql<EventsTable>`
        SELECT e.run, e.seq, e.type, e.at, e.id, e.name, e.data
        FROM unnest(${idsOf(rows)}::bigint[], ${numbers(rows.map(({ seq }) => Math.min(seq, limit)))}::int[]) AS c(run, last)
        CROSS JOIN LATERAL (
          SELECT * FROM ${events} e WHERE e.run = c.run AND e.seq <= c.last ORDER BY e.seq
        ) e`.execute(db),
    );
    return grouped(found.rows, toJournalEvent);
  }

  async function mailOf(rows: readonly ClaimedRow[]): Promise<Map<string, ClaimedRun["mail"]>> {
    if (rows.length === 0) return new Map();
    const found = await connection.run("select mail", (db) =>
      sql<MailTable>`
        SELECT m.run, m.mail_seq, m.message_id, m.type, m.hook_id, m.at, m.data
        FROM unnest(${idsOf(rows)}::bigint[], ${numbers(rows.map(({ mail_done }) => mail_done))}::int[]) AS c(run, done)
        JOIN ${mail} m ON m.run = c.run AND m.mail_seq > c.done
        ORDER BY m.run, m.mail_seq`.execute(db),
    );
    return grouped(found.rows, toMail);
  }

  return async (request) => {
    const { workflows, limit, owner, ttl, now, cached, eventLimit } = request;
    const rows = await connection.call<ClaimedRow | TimesRow>("claim", text, [
      callersClock ? now : null,
      [...new Set(workflows)].map(toStored),
      limit,
      toStored(owner),
      ttl,
    ]);
    const taken = rows.filter((row) => row.id !== null);
    const times = rows.find((row) => row.id === null);
    const records = taken.map(toRunRecord);
    const isCached = (index: number): boolean => {
      const run = records[index];
      return run !== undefined && cached.get(run.runId) === run.epoch - 1;
    };
    const [journals, mailboxes] = await Promise.all([
      eventsOf(
        taken.filter((_, index) => !isCached(index)),
        eventLimit,
      ),
      mailOf(taken.filter((row) => row.mail_seq > row.mail_done)),
    ]);
    return {
      runs: taken.map((row, index) => ({
        run: records[index] as ClaimedRun["run"],
        lost: row.lost,
        events: journals.get(String(row.id)) ?? [],
        mail: mailboxes.get(String(row.id)) ?? [],
      })),
      nextDueAt: numberOrNull(times?.due_at ?? null),
      now: Number(times?.created_at ?? now),
    };
  };
}

function idsOf(rows: readonly ClaimedRow[]): string {
  return `{${rows.map(({ id }) => id).join()}}`;
}

function grouped<Row extends { readonly run: Bigint }, T>(
  rows: readonly Row[],
  convert: (row: Row) => T,
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const run = String(row.run);
    const group = groups.get(run);
    if (group === undefined) groups.set(run, [convert(row)]);
    else group.push(convert(row));
  }
  return groups;
}

export type Renew = (request: RenewRequest) => Promise<readonly RenewResult[]>;

export function renew(connection: Connection, tables: Tables, callersClock: boolean): Renew {
  const text = callOf(tables.functions.renew, ["bigint", "text[]", "int[]", "bigint"]);

  return async ({ leases, ttl, now }) => {
    if (leases.length === 0) return [];
    const rows = await connection.callAside<{ place: number; mail_seq: number }>("renew", text, [
      callersClock ? now : null,
      leases.map(({ runId }) => toStored(runId)),
      numbers(leases.map(({ epoch }) => epoch)),
      ttl,
    ]);
    const results: RenewResult[] = leases.map(() => ({ outcome: "lost" }));
    for (const { place, mail_seq } of rows) results[place - 1] = { outcome: "renewed", mailSeq: mail_seq };
    return results;
  };
}
