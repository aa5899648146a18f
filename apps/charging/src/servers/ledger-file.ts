// One durable SQLite file per server, and the log of requests that both servers keep in it.

import { DatabaseSync } from "node:sqlite";

/** What became of a request, as its server saw it. */
export type Outcome =
  | "executed"
  | "replayed"
  | "key_in_use"
  | "key_mismatch"
  | "invalid"
  | "rate_limited"
  | "server_error"
  | "reset_before";

/** Opens or creates a ledger. Every commit is on the disk before the call that made it returns. */
export function openLedgerFile(path: string, schema: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS requests (
      seq INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,
      door INTEGER NOT NULL,
      customer TEXT NOT NULL,
      idempotency_key TEXT,
      outcome TEXT NOT NULL
    ) STRICT;
    ${schema}
  `);
  return db;
}

export interface RequestRecord {
  /** Milliseconds since the epoch. */
  at: number;
  door: number;
  customer: string;
  idempotencyKey: string | null;
  outcome: Outcome;
}

export interface RequestLog {
  /** Writes one row, durably. */
  logRequest(record: RequestRecord): void;
  /** How many requests ended so. */
  countRequests(outcome: Outcome): number;
}

export function requestLog(db: DatabaseSync): RequestLog {
  const insert = db.prepare(
    "INSERT INTO requests (at, door, customer, idempotency_key, outcome) VALUES (?, ?, ?, ?, ?)",
  );
  const count = db.prepare("SELECT count(*) AS n FROM requests WHERE outcome = ?");
  return {
    logRequest({ at, door, customer, idempotencyKey, outcome }) {
      insert.run(at, door, customer, idempotencyKey, outcome);
    },
    countRequests: (outcome) => (count.get(outcome) as { n: number }).n,
  };
}

/** Runs `work` as one durable transaction: all of it is on the disk, or none of it. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}
