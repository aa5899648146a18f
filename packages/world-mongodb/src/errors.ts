/**
 * What a user reads when MongoDB refuses: which store, what is wrong and what to do. The driver's own error stays outside:
 * it carries the command, the key and the document that the server complains of, and with them what users stored.
 */
import { WorldError } from "@perdure/core/errors";

/** The server's code for a second document under a unique key. */
const DUPLICATE_KEY = 11000;

const TOO_LARGE =
  "A document would be larger than the server takes. Give steps smaller values, or store them elsewhere.";

/** Server errors that no repetition mends, with what to do about them. */
const FINAL: ReadonlyMap<number, string> = new Map([
  [13, "The user of this connection may not do that. It needs the role `readWrite` on the database."],
  [18, "Check user, password and `authSource` of the URL."],
  [85, "An index of that name exists with other options. Drop it, or give `namespace` another value."],
  [86, "An index of that name exists with other keys. Drop it, or give `namespace` another value."],
  // An insert, an update whose result, and a command that is larger than the server takes.
  [10334, TOO_LARGE],
  [17419, TOO_LARGE],
  [17420, TOO_LARGE],
]);

/** Those of them that are about rights: a World that has been open goes on when they are right again. */
const RIGHTS: ReadonlySet<number> = new Set([13, 18]);

/** Errors of the driver that say that it was configured or called wrongly. */
const MISUSE =
  /^(BSON\w*|Mongo(Parse|InvalidArgument|MissingCredentials|MissingDependency|Compatibility)Error)$/;

/** What to do where the driver has found no server, by what it says of its tries. The first that fits counts. */
const NOT_FOUND: readonly (readonly [RegExp, string])[] = [
  [
    /timed out/,
    "Nothing there answers as MongoDB does. Check host and port of the URL, `replicaSet`, which is the name of the set, and `tls`: a " +
      "server that expects TLS is silent without it, and one that has none is silent with it.",
  ],
  [
    /closed$|ECONNRESET|EPIPE/,
    "What takes the connection there closes it: check host and port of the URL. It may be no MongoDB, or expect TLS (`tls=true`).",
  ],
  [/certificate|SSL|TLS/i, "Check `tls` and the certificates that the URL names."],
  [/(?:)/, "Check host and port of the URL, and that the server runs."],
];

/** The driver's own errors, of whichever copy of it: a client of the user's may come from another. */
interface DriverError extends Error {
  readonly code?: unknown;
  readonly codeName?: unknown;
  readonly writeErrors?: unknown;
}

function isDriverError(error: unknown): error is DriverError {
  return error instanceof Error && /^(Mongo|BSON)/.test(error.name);
}

/** Whether a write failed for no other reason than that other documents have the unique keys. */
export function isDuplicateKey(error: unknown): boolean {
  return isDriverError(error) && codesOf(error).every((code) => code === DUPLICATE_KEY);
}

/** The codes of an error: those of every write that was refused, where it tells them. */
function codesOf({ code, writeErrors }: DriverError): unknown[] {
  if (!Array.isArray(writeErrors) || writeErrors.length === 0) return [code];
  return [code, ...writeErrors.map((each: { readonly code?: unknown }) => each.code)];
}

/** The error to throw for what happened on a store. `opened`: the World has been open. An error that is not the driver's stays as it is. */
export function worldError(error: unknown, location: string, opened = false): unknown {
  if (isSystemError(error)) return notOpened(error, location);
  if (!isDriverError(error)) return error;
  const code = codesOf(error)
    .map(Number)
    .find((each) => FINAL.has(each));
  const final = code === undefined ? undefined : FINAL.get(code);
  const mayPass = code === undefined || (opened && RIGHTS.has(code));
  const retryable = mayPass && !MISUSE.test(error.name);
  const said = withoutValues(error.message);
  const advice = final ?? (error.name === "MongoServerSelectionError" ? adviceOn(said) : undefined);
  const message = `The MongoDB World ${location} failed: ${said}`;
  return new WorldError(
    advice === undefined ? message : `${message}${/[.!?]$/.test(said) ? "" : "."} ${advice}`,
    {
      cause: printable(error),
      retryable,
    },
  );
}

function adviceOn(said: string): string | undefined {
  return NOT_FOUND.find(([words]) => words.test(said))?.[1];
}

/** A name that DNS does not know, or a file that the URL names. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && typeof error.syscall === "string";
}

function notOpened(error: NodeJS.ErrnoException, location: string): WorldError {
  const isName = /^query|^getaddrinfo/.test(error.syscall ?? "");
  const advice = isName ? "Check the host of the URL" : "Check the files that the URL names";
  return new WorldError(`The MongoDB World ${location} cannot be opened: ${error.message}. ${advice}.`, {
    cause: printable(error),
    retryable: isName,
  });
}

/** The error for a connection string that the driver does not take; the string itself may hold a password. */
export function badUrl(error: unknown): WorldError {
  const reason = error instanceof Error ? withoutValues(error.message) : "";
  return new WorldError(
    `The MongoDB World cannot use its connection string: ${reason}. It looks like mongodb://user:password@host:27017/db.`,
    { retryable: false },
  );
}

/** The error for a command that was given up. Whether it was executed is not known. `reason`: why no server answers, if the driver knows. */
export function overdue(
  operation: string,
  location: string,
  milliseconds: number,
  reason: Error | undefined,
): WorldError {
  if (reason !== undefined) {
    const said = withoutValues(reason.message);
    return new WorldError(
      `The MongoDB World ${location} failed: ${said.replace(/[.]$/, "")}. So "${operation}" had no answer within ` +
        `${milliseconds.toLocaleString("en")} ms. ${adviceOn(said)}`,
      { cause: printable(reason), retryable: true },
    );
  }
  return new WorldError(
    `The MongoDB World ${location} failed: "${operation}" had no answer within ${milliseconds.toLocaleString("en")} ms, ` +
      "so it is not known whether it was executed. Check that the server can be reached; where it is only slow, raise " +
      "`callTimeout`.",
    { retryable: true },
  );
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

/** Something of a run is missing or cannot be read, and the run is not deleted: no repetition mends it. */
export class Damage extends WorldError {}

/** The error for a part of a run that its run document refers to and that is not there. */
export function lostPart(runId: string, part: string): Damage {
  return new Damage(
    `The MongoDB World has lost a part of run ${runId}: its ${part} is missing. Restore the collections from a backup ` +
      "that has all of them as of one moment.",
    { retryable: false, damaged: true },
  );
}

/** A copy of the driver's error with what it is for a reader, without what it carries of the data. */
function printable(error: Error): Error {
  const { code, codeName } = error as DriverError;
  const copy = new Error(withoutValues(error.message), {
    ...(error.cause instanceof Error && { cause: printable(error.cause) }),
  });
  const frames = error.stack?.slice(error.stack.indexOf("\n    at ")) ?? "";
  copy.name = error.name;
  copy.stack = `${error.name}: ${copy.message}${frames.startsWith("\n    at ") ? frames : ""}`;
  return Object.assign(copy, {
    ...(["number", "string"].includes(typeof code) && { code }),
    ...(typeof codeName === "string" && { codeName }),
  });
}

/** A server quotes the documents, keys and strings that it complains of, and a parser the URL with its password. */
function withoutValues(message: string): string {
  return message
    .replace(/:\/\/[^/\s]*@/g, "://…@")
    .replace(/\bdup key: .*/s, "dup key: …")
    .replace(/\{.*\}/gs, "{…}")
    .replace(/(["'`]).*\1/gs, "$1…$1")
    .slice(0, 500);
}
