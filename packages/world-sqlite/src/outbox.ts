/**
 * Joining: a row in the user's transaction, and who carries it out after the commit. A row is deleted in the transaction that
 * does what it says, under SQLite's write lock, so it is done once and rows are done in their order.
 */
import type { DatabaseSync } from "node:sqlite";
import { WorldError } from "@perdure/core/errors";
import {
  type CreateRunResult,
  deliveryHints,
  type Hint,
  type OpenStore,
  type SqlTransaction,
  unpackRequest,
} from "@perdure/core/world";
import { bytesOrNull } from "./cells.ts";
import type { Connection } from "./connection.ts";
import { prepareOn } from "./driver.ts";
import type { Send } from "./mailbox.ts";
import type { Start } from "./start.ts";
import type { StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";

// A transaction carries out so many rows at most, so that no worker waits for long. A row is never split.
const ROWS_PER_TRANSACTION = 100;

// With so many, it is the store that is damaged and not its rows.
const MOST_SKIPPED = 1_000;

/** The table of the outbox in version 1. Rows are done in the order of `id`. */
export function createOutboxTable({ outbox }: Tables): string {
  return `CREATE TABLE ${outbox} (id INTEGER PRIMARY KEY, request BLOB NOT NULL);`;
}

interface OutboxRow {
  readonly id: number;
  readonly request: Uint8Array;
}

/** What {@link outboxOf} needs to do what rows say. */
export interface OutboxOptions {
  readonly connection: Connection;
  readonly tables: Tables;
  readonly clock: StoreClock;
  readonly start: Start;
  readonly send: Send;
  readonly emit: (hints: () => Iterable<Hint>) => void;
}

/** The outbox of a store. */
export interface Outbox extends NonNullable<OpenStore["outbox"]> {
  /** Whether a row waits. One statement, which takes no lock. */
  waits(): boolean;
}

export function outboxOf({ connection, tables, clock, start, send, emit }: OutboxOptions): Outbox {
  const table = tables.outbox;
  const insert = `INSERT INTO ${table} (request) VALUES (?)`;
  // Every claim asks this: it is a third of the work of asking for an id.
  const selectAny = connection.prepareTuples<[1]>("look into outbox", `SELECT 1 FROM ${table} LIMIT 1`);
  const selectIds = connection.prepare<{ id: number }>(
    "select outbox rows",
    `SELECT id FROM ${table} ORDER BY id LIMIT ?`,
  );
  const selectRow = connection.prepare<OutboxRow>(
    "select outbox row",
    `SELECT id, request FROM ${table} WHERE id = ?`,
  );
  const deleteRow = connection.prepare("delete outbox row", `DELETE FROM ${table} WHERE id = ?`);

  // Rows that cannot be carried out. They stay, and must not be in the way of others.
  const skipped = new Set<number>();
  let waiting = false;

  /** The first rows. */
  function look(limit: number): number[] {
    const ids = selectIds.all(limit + skipped.size).map(({ id }) => id);
    return ids.filter((id) => !skipped.has(id)).slice(0, limit);
  }

  function waits(): boolean {
    return selectAny.get() !== undefined && look(1).length > 0;
  }

  /** Does what a row says, within a transaction; tells what it did to others. */
  function carryOut(id: number): Hint[] {
    const row = selectRow.get(id);
    if (row === undefined) return [];
    const request = unpackRequest(bytesOrNull(row.request, "request") ?? new Uint8Array(0));
    const times = clock.read(request.now);
    deleteRow.run(id);
    if (request.type === "deliver") return [...deliveryHints(send(request.batch, times.now))];
    const results = request.batch.map((run) => start({ ...run, lease: null }, times));
    return results.some(isCreated) ? [{ type: "due" }] : [];
  }

  /** Carries out the first rows in one transaction. */
  async function moveSome(begin: (id: number) => void): Promise<boolean> {
    const { hints, more } = await connection.write(() => {
      const ids = look(ROWS_PER_TRANSACTION);
      const told = ids.flatMap((id) => {
        begin(id);
        return carryOut(id);
      });
      return { hints: told, more: ids.length === ROWS_PER_TRANSACTION };
    });
    if (hints.length > 0) emit(() => hints);
    return more;
  }

  /** Tells the Worlds of this process once the user's transaction, which has the write lock, is over. */
  function hintAfterwards(): void {
    if (waiting) return;
    waiting = true;
    const over = (): void => {
      waiting = false;
    };
    void connection.write(over).then(() => emit(() => [{ type: "outbox" }]), over);
  }

  return {
    waits,

    async move() {
      if (!(await connection.read(waits))) return;
      for (;;) {
        let current: number | undefined;
        const begin = (id: number): void => {
          current = id;
        };
        try {
          if (!(await moveSome(begin))) return;
        } catch (error) {
          if (current === undefined || isPassing(error) || skipped.size === MOST_SKIPPED) throw error;
          skipped.add(current);
          warnOf(current, connection.location, table, error);
        }
      }
    },

    async put(transaction, request) {
      if (isSqlTransaction(transaction)) await transaction.execute(insert, [request]);
      else if (isDatabase(transaction)) {
        refuseOther(transaction, connection);
        prepareOn(transaction, insert).run(request);
      } else {
        throw new WorldError(
          `The SQLite World ${connection.location} joins a DatabaseSync on its file, or { execute(sql, parameters) }, while a ` +
            "transaction is open on it. Pass one of them.",
          { retryable: false },
        );
      }
      hintAfterwards();
    },
  };
}

function isSqlTransaction(transaction: unknown): transaction is SqlTransaction {
  return isObject(transaction) && "execute" in transaction && typeof transaction.execute === "function";
}

function isDatabase(transaction: unknown): transaction is DatabaseSync {
  return isObject(transaction) && "prepare" in transaction && "isOpen" in transaction;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** @throws {WorldError} for a connection to another database, or one without a transaction where Node can tell */
function refuseOther(database: DatabaseSync, connection: Connection): void {
  const isOpen = (database as { readonly isTransaction?: boolean }).isTransaction !== false;
  if (isOpen && connection.isOn(database)) return;
  const what = isOpen ? "is on another database" : "has no transaction open";
  const todo = isOpen ? `Pass a connection to ${connection.location}` : "Call exec('BEGIN IMMEDIATE') first";
  throw new WorldError(
    `The SQLite World ${connection.location} cannot join: the connection that was passed in ${what}. ${todo}.`,
    { retryable: false },
  );
}

function isCreated({ outcome }: CreateRunResult): boolean {
  return outcome === "created";
}

function isPassing(error: unknown): boolean {
  return WorldError.is(error) && error.retryable;
}

// Nobody waits for an answer, so nobody else would hear of it.
function warnOf(id: number, location: string, table: string, error: unknown): void {
  process.emitWarning(
    `In the SQLite World ${location}, the row ${id} of the table ${table} cannot be carried out: ` +
      `${(error as Error).message} Others go on. Delete the row, or update the package in this process.`,
    "PerdureWarning",
  );
}
