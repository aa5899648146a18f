/**
 * Joining: a row in the user's transaction, and who carries it out after the commit. Rows are deleted in the transaction that
 * does what they say. Those of one transaction of the user's are carried out together, in their order, by whoever has the
 * advisory lock of that transaction; others meanwhile carry out those of others.
 *
 * Level: READ COMMITTED. Nobody waits for a row of a transaction that is still open: it is not there yet.
 */
import { EncryptionError, WorldError } from "@perdure/core/errors";
import {
  deliveryHints,
  type Hint,
  type JoinedRequest,
  type MakeStart,
  type OpenStore,
  type PlainStart,
  type SqlTransaction,
  unpackRequest,
} from "@perdure/core/world";
import { CompiledQuery, type Transaction } from "kysely";
import type { ClientBase } from "pg";
import type { Execute } from "./calls.ts";
import type { Connection } from "./connection.ts";
import { storeNow } from "./functions/clauses.ts";
import { CREATE_RUNS } from "./functions/create-runs.ts";
import { DELIVER } from "./functions/deliver.ts";
import { type DeliverRow, deliverCalls, newMailOf } from "./mailbox.ts";
import { callOf } from "./parameters.ts";
import type { Bigint } from "./schema.ts";
import { startCalls } from "./start.ts";
import type { Tables } from "./tables.ts";

// So many transactions are looked at for one that nobody else carries out.
const LOOKED_AT = 100;

// With so many, it is the store that is damaged and not its rows.
const MOST_SKIPPED = 1_000;

interface OutboxRow {
  readonly request: Uint8Array | null;
  /** The text of a {@link PlainStart}. */
  readonly start: string | null;
  /** The time of the store. */
  readonly now: Bigint;
}

/** What {@link outboxOf} needs to do what rows say. */
export interface OutboxOptions {
  readonly connection: Connection;
  readonly tables: Tables;
  readonly callersClock: boolean;
  /** What makes requests of starts by SQL, as far as the core has given it. */
  readonly starts: { readonly make: MakeStart | null };
  /** The notification that tells others of a new row: its channel and its text. `null` where there are none. */
  readonly notification: { readonly channel: string; readonly payload: string } | null;
  readonly emit: (hints: () => Iterable<Hint>) => void;
}

export type Outbox = NonNullable<OpenStore["outbox"]>;

export function outboxOf({
  connection,
  tables,
  callersClock,
  starts,
  notification,
  emit,
}: OutboxOptions): Outbox {
  const { outbox, locks, functions } = tables;
  const insert = `INSERT INTO ${outbox} (transaction, request) VALUES (txid_current(), $1::bytea)`;
  const selectTransaction = `
    SELECT t.transaction FROM (
      SELECT o.transaction, min(o.id) AS id FROM (
        SELECT o.id, o.transaction FROM ${outbox} o WHERE o.transaction <> ALL ($1::bigint[]) ORDER BY o.id LIMIT ${LOOKED_AT}
      ) o GROUP BY o.transaction ORDER BY id OFFSET 0
    ) t WHERE pg_try_advisory_xact_lock(${locks}, hashtext(t.transaction::text)) LIMIT 1`;
  const selectRows = `SELECT o.request, o.start::text AS start, ${storeNow("NULL::bigint")} AS now FROM ${outbox} o WHERE o.transaction = $1::bigint ORDER BY o.id`;
  const deleteRows = `DELETE FROM ${outbox} o WHERE o.transaction = $1::bigint`;
  const start = callOf(functions.createRuns, CREATE_RUNS);
  const deliver = callOf(functions.deliver, DELIVER);

  // Transactions that cannot be carried out. Their rows stay, and must not be in the way of others.
  const skipped = new Set<string>();

  /** Does what a row says; tells what it did to others. */
  async function carryOut(execute: Execute, row: OutboxRow): Promise<Hint[]> {
    const asked = row.request === null ? await plainRequest(row, starts.make) : unpackRequest(row.request);
    const told: Hint[] = [];
    if (asked.type === "deliver") {
      for (const { part, values } of deliverCalls(asked.batch, asked.now, callersClock)) {
        await connection.operation("deliver");
        const rows = (await execute(deliver, [null, ...values])) as readonly DeliverRow[];
        told.push(...deliveryHints(newMailOf(part, rows)));
      }
      return told;
    }
    const runs = asked.batch.map((run) => ({ ...run, lease: null }));
    for (const { values } of startCalls(runs, asked.now, callersClock)) {
      await connection.operation("create runs");
      const rows = (await execute(start, [null, ...values])) as readonly { readonly outcome: string }[];
      if (rows.some(({ outcome }) => outcome === "new")) told.push({ type: "due" });
    }
    return told;
  }

  /** Carries out the rows of one transaction; `false` where there is none left. */
  async function moveOne(begin: (transaction: string) => void): Promise<boolean> {
    const told = await connection.transaction("look into outbox", async (execute) => {
      const [found] = (await execute(selectTransaction, [`{${[...skipped].join()}}`])) as readonly {
        readonly transaction: Bigint;
      }[];
      if (found === undefined) return null;
      const transaction = String(found.transaction);
      begin(transaction);
      const hints: Hint[] = [];
      for (const row of (await execute(selectRows, [transaction])) as readonly OutboxRow[]) {
        hints.push(...(await carryOut(execute, row)));
      }
      await connection.operation("delete from outbox");
      await execute(deleteRows, [transaction]);
      return hints;
    });
    if (told !== null && told.length > 0) emit(() => told);
    return told !== null;
  }

  return {
    async move() {
      const waiting = await connection.query("look into outbox", () =>
        CompiledQuery.raw(`SELECT o.id FROM ${outbox} o ORDER BY o.id LIMIT 1`),
      );
      while (waiting.length > 0) {
        let current: string | undefined;
        try {
          const more = await moveOne((transaction) => {
            current = transaction;
          });
          if (!more) return;
        } catch (error) {
          if (current === undefined || isPassing(error) || skipped.size === MOST_SKIPPED) throw error;
          skipped.add(current);
          warnOf(current, connection.location, outbox, error);
        }
      }
    },

    async put(transaction, request) {
      const execute = executorOf(transaction);
      if (execute === undefined) {
        throw new WorldError(
          `The Postgres World ${connection.location} joins a client of \`pg\` (not a pool), a Kysely \`Transaction\`, or ` +
            "{ execute(sql, parameters) }, while a transaction is open on it. Pass one of them.",
          { retryable: false },
        );
      }
      if (notification === null) await execute(insert, [request]);
      else {
        const { channel, payload } = notification;
        await execute(`WITH o AS (${insert} RETURNING id) SELECT pg_notify($2::text, $3::text) FROM o`, [
          request,
          channel,
          payload,
        ]);
      }
    },
  };
}

/** What a start by SQL asks for. Its times are the store's, so they are of now. */
async function plainRequest({ start, now }: OutboxRow, make: MakeStart | null): Promise<JoinedRequest> {
  if (make === null) {
    throw new WorldError("A start by SQL waits for a client or a worker of this World.", { retryable: true });
  }
  const run = await make(JSON.parse(start ?? "null") as PlainStart);
  return { type: "createRuns", batch: [run], now: Number(now) };
}

/** How to execute a statement in a transaction of the user's; `undefined` for what is none. */
function executorOf(transaction: unknown): SqlTransaction["execute"] | undefined {
  if (typeof transaction !== "object" || transaction === null) return undefined;
  if ("isTransaction" in transaction && "executeQuery" in transaction) {
    // biome-ignore lint/suspicious/noExplicitAny: any database type.
    const kysely = transaction as Transaction<any>;
    if (kysely.isTransaction !== true) return undefined;
    return (text, values) => kysely.withoutPlugins().executeQuery(CompiledQuery.raw(text, [...values]));
  }
  if ("query" in transaction && typeof transaction.query === "function") {
    // Each query of a pool goes over whichever connection is free.
    if ("totalCount" in transaction) return undefined;
    const client = transaction as ClientBase;
    return (text, values) => client.query(text, [...values]);
  }
  if ("execute" in transaction && typeof transaction.execute === "function") {
    const joined = transaction as SqlTransaction;
    return (text, values) => joined.execute(text, values);
  }
  return undefined;
}

function isPassing(error: unknown): boolean {
  return EncryptionError.is(error) || (WorldError.is(error) && error.retryable);
}

// Nobody waits for an answer, so nobody else would hear of it.
function warnOf(transaction: string, location: string, table: string, error: unknown): void {
  process.emitWarning(
    `In the Postgres World ${location}, the rows of transaction ${transaction} in the table ${table} cannot be carried out: ` +
      `${(error as Error).message} Others go on. Delete the rows, or update the package in this process.`,
    "PerdureWarning",
  );
}
