/**
 * The boundary to Node's built-in SQLite: loads `node:sqlite`, and says which of its errors mean "try again".
 */
import type { DatabaseSync } from "node:sqlite";

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

/** The primary result codes of SQLite that this World tells apart. */
export const RESULT = {
  busy: 5,
  readOnly: 8,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** SQLite's primary result code, or `undefined` for an error that is not SQLite's. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  // The upper bits say more of it, such as SQLITE_BUSY_RECOVERY.
  return error.errcode & 0xff;
}

/** The file of an open database; `null` when it lives in memory. */
export function fileOf(database: DatabaseSync): string | null {
  const row = database.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").get();
  return typeof row?.file === "string" && row.file !== "" ? row.file : null;
}
