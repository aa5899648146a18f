/**
 * The boundary to Node's built-in SQLite: loads `node:sqlite`, prepares its statements, and knows its result codes.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

type Sqlite = typeof import("node:sqlite");

let loaded: Sqlite | undefined;

/** `node:sqlite`, loaded without the warning that Node 22 prints about it being experimental. */
export function sqlite(): Sqlite {
  loaded ??= loadQuietly();
  return loaded;
}

// The warning is written through `process.emitWarning` while the module loads, which is synchronous: nothing else can
// warn in between, and anything that is not this one warning passes.
function loadQuietly(): Sqlite {
  const emitWarning = process.emitWarning;
  process.emitWarning = (...args: unknown[]): void => {
    if (args[1] === "ExperimentalWarning" && String(args[0]).startsWith("SQLite")) return;
    Reflect.apply(emitWarning, process, args);
  };
  try {
    const module = process.getBuiltinModule("node:sqlite");
    if (module === undefined)
      throw new Error("Node.js was built without node:sqlite. Use Node.js 22.13 or newer.");
    return module;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * Prepares a statement that gives numbers as numbers and rows as objects, whatever options (`readBigInts`,
 * `returnArrays`) the connection was opened with.
 */
export function prepareOn(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReadBigInts(false);
  returnArrays(statement, false);
  return statement;
}

/** Lets a statement give its rows as arrays where Node can; Node 22.13 cannot yet. */
export function returnArrays(statement: StatementSync, enabled: boolean): void {
  if (canReturnArrays(statement)) statement.setReturnArrays(enabled);
}

function canReturnArrays(
  statement: StatementSync,
): statement is StatementSync & { setReturnArrays(enabled: boolean): void } {
  return "setReturnArrays" in statement;
}

/** The primary result codes of SQLite that this World tells apart. */
export const RESULT = {
  error: 1,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  interrupted: 9,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  schema: 17,
  tooBig: 18,
  notADatabase: 26,
} as const;

/** SQLite's primary result code, or `undefined` for an error that is not SQLite's. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  // The upper bits say more of it, such as SQLITE_BUSY_RECOVERY.
  return error.errcode & 0xff;
}

/** Whether a statement was refused because the program has a transaction of its own open on the connection. */
export function isWithinTransaction(error: unknown): boolean {
  return resultCode(error) === RESULT.error && /(within|inside) a transaction/.test((error as Error).message);
}

/** Whether Node refused a call because the connection was closed. */
export function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE";
}

/** The file of an open database, as SQLite has resolved its path; `null` when it lives in memory. */
export function fileOf(database: DatabaseSync): string | null {
  const row = prepareOn(database, "SELECT file FROM pragma_database_list WHERE name = 'main'").get();
  return typeof row?.file === "string" && row.file !== "" ? row.file : null;
}
