/**
 * Names, each of which one run has at a time. A name whose time has passed stays in the table until it is claimed again or its
 * run is deleted: whether it is free is judged where it is looked at, by the row of the run that has it. Everything here runs
 * inside of the caller's transaction.
 */
import type { HeldName, NameClaim } from "@perdure/core/world";
import { bytesOrNull, number, text, textOrNull } from "./cells.ts";
import type { Connection } from "./connection.ts";
import { fromStoredKey, toStoredKey } from "./keys.ts";
import { RUN_COLUMNS, type RunRow } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { type StoredText, toStored, toStoredOrNull } from "./text.ts";

/** The table of names in version 1. The index goes on with the name, which is the table's key. */
export function createNameTable({ names }: Tables): string {
  return `
    CREATE TABLE ${names} (
      name BLOB PRIMARY KEY,
      run INTEGER NOT NULL,
      id TEXT NOT NULL,
      fingerprint TEXT,
      created_at INTEGER NOT NULL,
      keep_for INTEGER,
      free_at INTEGER NOT NULL,
      data BLOB
    ) WITHOUT ROWID;
    CREATE INDEX ${names}_by_run ON ${names} (run, id);
  `;
}

/** Whether the name `n`, which the run `r` has, is free at the time of the numbered parameter. */
function isFree(now: string): string {
  return `r.status IN ('completed', 'failed', 'cancelled') AND n.keep_for IS NOT NULL AND n.free_at <= ${now}
    AND (n.keep_for = 0 OR ifnull(r.completed_at, 0) + n.keep_for <= ${now})`;
}

/** The names that are held at the time of the numbered parameter, as `n`, and the runs that have them, as `r`. */
export function heldNames({ names, runs }: Tables, now: string, index = ""): string {
  return `${names} n ${index} CROSS JOIN ${runs} r ON r.id = n.run AND NOT (${isFree(now)})`;
}

/** A name as {@link NAME_COLUMNS} selects it. */
export interface NameRow {
  readonly heldName: Uint8Array;
  readonly heldId: StoredText;
  readonly holder: StoredText;
  readonly fingerprint: StoredText | null;
  readonly claimedAt: number;
  readonly data: Uint8Array | null;
}

/** A name and its run, from {@link heldNames}. */
export const NAME_COLUMNS =
  "n.name AS heldName, n.id AS heldId, r.run_id AS holder, n.fingerprint, n.created_at AS claimedAt, n.data";

/** @throws {Damage} for a row that this World has not written */
export function toHeldName(row: NameRow): HeldName {
  return {
    name: fromStoredKey(bytesOrNull(row.heldName, "name") ?? new Uint8Array(0)),
    id: text(row.heldId, "id"),
    runId: text(row.holder, "run_id"),
    fingerprint: textOrNull(row.fingerprint, "fingerprint"),
    data: bytesOrNull(row.data, "data"),
    createdAt: number(row.claimedAt, "created_at"),
  };
}

/** Claims and releases. `run` is the run's row. */
export interface Names {
  /** Who has the name: its row, and that of the run. */
  holder(name: string, now: number): (NameRow & RunRow) | undefined;
  /** Gives the name to the run, unless it is held. */
  claim(run: number, claim: NameClaim, at: number, now: number): boolean;
  /** Gives the name to the run, whoever has it. */
  take(run: number, claim: NameClaim, at: number): void;
  /** Frees the name that the run has under this id. */
  release(run: number, id: string): void;
  /** Removes the names of a run that are free as soon as it has ended. */
  end(run: number, now: number): void;
}

export function names(connection: Connection, tables: Tables): Names {
  const table = tables.names;
  const insert = `INSERT INTO ${table} AS n (name, run, id, fingerprint, created_at, keep_for, free_at, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (name) DO UPDATE SET run = ?2, id = ?3, fingerprint = ?4, created_at = ?5, keep_for = ?6, free_at = ?7, data = ?8`;
  const selectHolder = connection.prepare<NameRow & RunRow>(
    "select holder of name",
    `SELECT ${RUN_COLUMNS}, ${NAME_COLUMNS} FROM ${heldNames(tables, "?2")} WHERE n.name = ?1`,
  );
  const claimFree = connection.prepare<{ taken: 1 }>(
    "claim name",
    `${insert} WHERE (SELECT ${isFree("?9")} FROM ${tables.runs} r WHERE r.id = n.run) RETURNING 1 AS taken`,
  );
  const takeAny = connection.prepare("take name", insert);
  const removeOne = connection.prepare("release name", `DELETE FROM ${table} WHERE run = ? AND id = ?`);
  const removeFree = connection.prepare(
    "release names",
    `DELETE FROM ${table} WHERE run = ? AND keep_for = 0 AND free_at <= ?`,
  );

  function row(run: number, claim: NameClaim, at: number) {
    return [
      toStoredKey(claim.name),
      run,
      toStored(claim.id),
      toStoredOrNull(claim.fingerprint),
      at,
      claim.keepFor,
      claim.freeAt,
      claim.data,
    ] as const;
  }

  return {
    holder: (name, now) => selectHolder.get(toStoredKey(name), now),
    claim: (run, claim, at, now) => claimFree.get(...row(run, claim, at), now) !== undefined,
    take: (run, claim, at) => void takeAny.run(...row(run, claim, at)),
    release: (run, id) => void removeOne.run(run, toStored(id)),
    end: (run, now) => void removeFree.run(run, now),
  };
}
