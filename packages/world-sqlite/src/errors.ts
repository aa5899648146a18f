/**
 * What a user reads when SQLite refuses: which file, what is wrong with it and what to do. SQLite's own error stays
 * the `cause`. Only what may pass by itself is retryable; what nobody has foreseen is not.
 */
import { WorldError } from "@perdure/core/errors";
import { isDamage } from "./cells.ts";
import { isClosed, isWithinTransaction, RESULT, resultCode } from "./driver.ts";

interface Explanation {
  readonly name: string;
  readonly text: string;
  readonly retryable: boolean;
}

function passing(name: string, text: string): Explanation {
  return { name, text, retryable: true };
}

function lasting(name: string, text: string): Explanation {
  return { name, text, retryable: false };
}

const EXPLANATIONS: ReadonlyMap<number, Explanation> = new Map([
  [
    RESULT.busy,
    passing(
      "SQLITE_BUSY",
      "is locked: another connection has held its write lock for longer than `busyTimeout`. Nothing was written. " +
        "Look for a program that keeps a transaction open on it, such as a database browser.",
    ),
  ],
  [
    RESULT.locked,
    passing(
      "SQLITE_LOCKED",
      "is locked by another statement of the same connection. Nothing was written. Finish the queries that you have " +
        "begun on it.",
    ),
  ],
  [RESULT.noMemory, passing("SQLITE_NOMEM", "found no memory for the call. Nothing was written.")],
  [RESULT.interrupted, passing("SQLITE_INTERRUPT", "was interrupted. Nothing was written.")],
  [
    RESULT.ioError,
    passing(
      "SQLITE_IOERR",
      "met an error of the disk or the file system. Check the disk, its quota, and that nothing has touched the files.",
    ),
  ],
  [
    RESULT.full,
    passing(
      "SQLITE_FULL",
      "cannot grow: the disk is full. Nothing was written. Make room; workers go on by themselves.",
    ),
  ],
  [
    RESULT.protocol,
    passing(
      "SQLITE_PROTOCOL",
      "could not be locked: too many processes open it at once, or its file system does not keep locks.",
    ),
  ],
  [RESULT.schema, passing("SQLITE_SCHEMA", "was changed during the call. Nothing was written.")],
  [
    RESULT.readOnly,
    lasting(
      "SQLITE_READONLY",
      "cannot be written. This process needs write permission for the file and for its directory, and a connection " +
        "that is not read-only.",
    ),
  ],
  [
    RESULT.corrupt,
    lasting(
      "SQLITE_CORRUPT",
      "is damaged. Stop every worker, keep a copy of the file together with its -wal file, and restore a backup or " +
        "salvage it with the `.recover` command of the sqlite3 shell.",
    ),
  ],
  [
    RESULT.cannotOpen,
    lasting(
      "SQLITE_CANTOPEN",
      "cannot be opened. Check that the path is a file and that this process may read and write it.",
    ),
  ],
  [
    RESULT.tooBig,
    lasting(
      "SQLITE_TOOBIG",
      "cannot store a value of this size. Keep the data elsewhere and pass a reference to it.",
    ),
  ],
  [
    RESULT.notADatabase,
    lasting("SQLITE_NOTADB", "is not an SQLite database. It was left as it is; give `path` another file."),
  ],
]);

const WITHIN_TRANSACTION = passing(
  "SQLITE_ERROR",
  "was kept waiting by a transaction of yours on the connection that you passed in, for longer than `busyTimeout`. " +
    "Nothing was written. End the transaction, or let the World open a connection of its own with `path`.",
);

const CLOSED = lasting(
  "ERR_INVALID_STATE",
  "has lost its connection: the program has closed it. Close the World first; it may be opened again.",
);

/** The error to throw for what happened on a store. An error of this World stays as it is. */
export function worldError(error: unknown, location: string): unknown {
  if (WorldError.is(error)) return error;
  if (isDamage(error)) return damagedError(error, location, "of a run");
  const known = explain(error);
  if (known === undefined) {
    const what = error instanceof Error ? error.message : String(error);
    return new WorldError(`The SQLite World ${location} refused a call: ${what}.`, {
      cause: error,
      retryable: false,
    });
  }
  return new WorldError(`The SQLite World ${location} ${known.text} (${known.name})`, {
    cause: error,
    retryable: known.retryable,
    damaged: resultCode(error) === RESULT.corrupt,
  });
}

/** The error for rows that cannot be read; `whose` says which. */
export function damagedError(error: unknown, location: string, whose: string): WorldError {
  const what =
    resultCode(error) === RESULT.corrupt ? "a page of the file is damaged" : (error as Error).message;
  return new WorldError(
    `The rows ${whose} in the SQLite World ${location} are damaged: ${what}. Other runs go on. Restore them from a backup, ` +
      "or delete them; `PRAGMA integrity_check` tells whether more is damaged.",
    { cause: error, retryable: false, damaged: true },
  );
}

function explain(error: unknown): Explanation | undefined {
  if (isWithinTransaction(error)) return WITHIN_TRANSACTION;
  if (isClosed(error)) return CLOSED;
  const code = resultCode(error);
  return code === undefined ? undefined : EXPLANATIONS.get(code);
}
