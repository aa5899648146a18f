/**
 * What a user reads when MongoDB refuses: which store, what is wrong and what to do. The driver's own error stays the
 * `cause`.
 */
import { WorldError } from "@perdure/core/errors";
import { MongoError, MongoServerError } from "mongodb";

/** The server's code for a second document under a unique key. */
const DUPLICATE_KEY = 11000;

/** Server errors that no repetition mends, with what to do about them. */
const FINAL: ReadonlyMap<number, string> = new Map([
  [13, "The user of this connection may not do that. It needs the role `readWrite` on the database."],
  [18, "Check user, password and `authSource` of the URL."],
  [85, "An index of that name exists with other options. Drop it, or give `namespace` another value."],
  [86, "An index of that name exists with other keys. Drop it, or give `namespace` another value."],
  [
    10334,
    "A document would be larger than the server takes. Give steps smaller values, or store them elsewhere.",
  ],
]);

/** Errors of the driver that say that it was configured or called wrongly. */
const MISUSE = new Set(["MongoParseError", "MongoInvalidArgumentError", "MongoMissingCredentialsError"]);

/** Whether a write failed because another document has the unique key. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === DUPLICATE_KEY;
}

/** The error to throw for what happened on a store. An error of this World stays as it is. */
export function worldError(error: unknown, location: string): unknown {
  const misuse = error instanceof Error && MISUSE.has(error.name);
  if (!(error instanceof MongoError) && !misuse) return error;
  const advice = error instanceof MongoServerError ? FINAL.get(Number(error.code)) : undefined;
  const retryable = advice === undefined && !misuse;
  const message = `The MongoDB World ${location} failed: ${error.message}`;
  return new WorldError(advice === undefined ? message : `${message} ${advice}`, { cause: error, retryable });
}

/** The error for a value that does not fit into a document. */
export function tooLarge(what: string, bytes: number, limit: number): WorldError {
  return new WorldError(
    `${what} has ${bytes.toLocaleString("en")} bytes; the MongoDB World stores values of at most ` +
      `${limit.toLocaleString("en")} bytes, because a MongoDB document holds no more. Store the value elsewhere and ` +
      "pass its address.",
    { retryable: false },
  );
}
