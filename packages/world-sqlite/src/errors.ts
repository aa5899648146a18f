/**
 * What a user reads when SQLite refuses: which file, what is wrong with it and what to do. SQLite's own error stays
 * the `cause`.
 */
import { WorldError } from "@perdure/core/errors";
import { RESULT, resultCode } from "./driver.ts";

interface Explanation {
  readonly name: string;
  readonly text: string;
  readonly retryable: boolean;
}

const EXPLANATIONS: ReadonlyMap<number, Explanation> = new Map([
  [
    RESULT.busy,
    {
      name: "SQLITE_BUSY",
      text:
        "is locked: another connection has held its write lock for longer than `busyTimeout`. Nothing was written. " +
        "Look for a program that keeps a transaction open on it, such as a database browser.",
      retryable: true,
    },
  ],
  [
    RESULT.readOnly,
    {
      name: "SQLITE_READONLY",
      text: "cannot be written. This process needs write permission for the file and for its directory.",
      retryable: false,
    },
  ],
  [
    RESULT.corrupt,
    {
      name: "SQLITE_CORRUPT",
      text:
        "is damaged. Stop every worker, keep a copy of the file together with its -wal file, and restore a backup or " +
        "salvage it with the `.recover` command of the sqlite3 shell.",
      retryable: false,
    },
  ],
  [
    RESULT.full,
    {
      name: "SQLITE_FULL",
      text: "cannot grow: the disk is full. Nothing was written. Make room; workers go on by themselves.",
      retryable: true,
    },
  ],
  [
    RESULT.cannotOpen,
    {
      name: "SQLITE_CANTOPEN",
      text: "cannot be opened. Check that the path is a file and that this process may read and write it.",
      retryable: false,
    },
  ],
  [
    RESULT.notADatabase,
    {
      name: "SQLITE_NOTADB",
      text: "is not an SQLite database. It was left as it is; give `path` another file.",
      retryable: false,
    },
  ],
]);

/** The error to throw for what happened on a store. An error of this World stays as it is. */
export function worldError(error: unknown, location: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const known = EXPLANATIONS.get(code);
  const message =
    known === undefined
      ? `The SQLite World ${location} failed: ${error instanceof Error ? error.message : String(error)}`
      : `The SQLite World ${location} ${known.text} (${known.name})`;
  return new WorldError(message, { cause: error, retryable: known?.retryable ?? true });
}
