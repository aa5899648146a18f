/**
 * What a user reads when Postgres refuses: which database, what is wrong and what to do. The `cause` says what the driver
 * said, without what may hold values of the user's.
 */
import { WorldError } from "@perdure/core/errors";
import { Overdue } from "@perdure/core/world";

interface Explanation {
  readonly text: string;
  /** `"later"`: not while opening; a World that has been open goes on when the server's settings are right again. */
  readonly retryable: boolean | "later";
}

const UNREACHABLE: Explanation = {
  text: "cannot be reached. What was under way may be in or not; it is sent again when the server answers.",
  retryable: true,
};

/** The same before anything was sent. */
const NOT_REACHED: Explanation = {
  text: "cannot be reached. Check the URL, and that the server runs.",
  retryable: true,
};

/** Nor is anything said before the connection is closed. */
const CLOSED: Explanation = {
  text:
    "closes the connection without a word. Check host and port of the URL: what takes the connection there may not be " +
    "Postgres, or have no server behind it.",
  retryable: true,
};

const OVERDUE: Explanation = {
  text:
    "does not answer. What was under way may be in or not; its connection was closed, and it is sent again over a new one. " +
    "If the server is only slow, raise `callTimeout`.",
  retryable: true,
};

/** The same before anything was sent. */
const NOT_ANSWERED: Explanation = {
  text:
    "does not answer. Check host and port of the URL: what takes the connection there may not be Postgres, or have no server " +
    "behind it. If it is only slow to start, raise `openTimeout`.",
  retryable: true,
};

const ENDED_BY_SERVER: Explanation = {
  text: "was too slow, or another transaction holds what this call needs. Nothing was written; it is tried again.",
  retryable: true,
};

const FOREIGN: Explanation = {
  text:
    "cannot have its tables and functions: something of that name is there already. Give it another `schema`, or a " +
    "`namespace`.",
  retryable: false,
};

const NO_TLS: Explanation = {
  text: "offers no TLS, and the URL asks for it. Remove `sslmode` from the URL, or set `ssl = on` on the server.",
  retryable: false,
};

const UNTRUSTED: Explanation = {
  text:
    "has a certificate that this process does not trust. Name the authority that signed it with `sslrootcert=` in the URL, or " +
    "in NODE_EXTRA_CA_CERTS.",
  retryable: false,
};

const NO_PASSWORD: Explanation = {
  text: "asks for a password, and got none or another's. Check the URL, or PGPASSWORD.",
  retryable: "later",
};

const NOT_POSTGRES: Explanation = {
  text: "does not speak Postgres' protocol. Check host and port of the URL.",
  retryable: false,
};

const POOL_ENDED: Explanation = {
  text: "cannot be used: the pool that was passed to it has ended. Pass one that is open, and end it after the World.",
  retryable: false,
};

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  "28P01": { text: "refuses the password. Check the URL.", retryable: "later" },
  "28000": { text: "refuses this user. Check the URL and the server's pg_hba.conf.", retryable: "later" },
  "3D000": { text: "has no such database. Create it, or check the URL.", retryable: false },
  "42501": {
    text: "does not permit this to the user it was given. Grant it, or let the owner of the schema migrate; see the README.",
    retryable: "later",
  },
  "42P01": { text: "lacks a table. Call open() again to create what is missing.", retryable: false },
  "42883": { text: "lacks a function. Call open() again to create what is missing.", retryable: false },
  "42P07": FOREIGN,
  "42723": FOREIGN,
  "42710": FOREIGN,
  "25006": {
    text:
      "is read-only: it is a standby, or `default_transaction_read_only` is on for this user or database. Writes go on when it is " +
      "neither.",
    retryable: true,
  },
  "53100": {
    text: "has no room: its disk is full. Nothing was written. Make room; workers go on.",
    retryable: true,
  },
  "53300": {
    text: "has no connection left. Raise max_connections, or lower maxConnections.",
    retryable: true,
  },
  "55P03": ENDED_BY_SERVER,
  "57014": ENDED_BY_SERVER,
  XX001: { text: "reports damaged data. Stop every worker and look at the server's log.", retryable: false },
  XX002: {
    text: "reports a damaged index. Stop every worker and look at the server's log.",
    retryable: false,
  },
};

// PgBouncer gives this code to everything that it refuses or fails at, a database that does not exist included.
const POOLER = "08P01";

// Errors whose text is about the server and not about values: connections (08, 28, 57), transactions (25, 40), names (3D,
// 3F, 42), resources (53, 54, 55) and the machine (58, XX).
const SAFE_CLASSES = /^(08|25|28|3D|3F|40|42|53|54|55|57|58|XX)...$/;
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** The SQLSTATE of a server's error, or the code of a system call that failed; `undefined` for any other error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return error.code;
}

/** The statement was rolled back whole and may simply be executed again. */
export function isRolledBack(error: unknown): boolean {
  const code = codeOf(error);
  // A unique violation tells of two senders of one message id that met; the second try finds the first one's row.
  return code === "40001" || code === "40P01" || code === "23505";
}

/** There is no connection: not yet, not now, or not any more. */
export function isUnreachable(error: unknown): boolean {
  const code = codeOf(error) ?? "";
  if (code === "ENOENT" || code === "EACCES") return isConnect(error);
  if (/^(08...|57P0[1-5]|E(CONN|TIMEDOUT|PIPE|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOTFOUND)\w*)$/.test(code))
    return true;
  return (
    error instanceof Error &&
    (isOverdue(error) || /^(Connection term|Client (has enc|was closed))/i.test(error.message))
  );
}

/** The system call that failed was that of a connection: to a socket that is a file. */
function isConnect(error: unknown): boolean {
  return (error as { readonly syscall?: unknown }).syscall === "connect";
}

/** What is stored cannot be read, and will not be the next time; said of an error that {@link worldError} gave. */
export function isDamage(error: unknown): boolean {
  return WorldError.is(error) && /^(XX|22|58)...$/.test(codeOf(error.cause) ?? "");
}

/**
 * The error to throw for what happened on a store, or, without `reached`, when it was to be opened. `opened`: the World has been
 * open. An error of this World stays as it is.
 */
export function worldError(
  error: unknown,
  location: string,
  { reached = true, opened = false }: { reached?: boolean; opened?: boolean } = {},
): unknown {
  if (WorldError.is(error)) return error;
  const code = codeOf(error);
  const known = explanationOf(error, reached);
  const isServers = code !== undefined && SQLSTATE.test(code);
  // Not from the driver, such as the conformance suite's own.
  if (known === undefined && !isServers) return error;
  const cause = withoutValues(error);
  const text = known?.text ?? `failed: ${cause.message}`;
  // Bad data (22), limits of the program (54) and syntax (42) fail the same way each time.
  const said = known?.retryable ?? !/^(22|42|54)/.test(code ?? "");
  const retryable = said === "later" ? opened : said;
  const detail = code === undefined || code === POOLER ? cause.message : code;
  return new WorldError(
    `The Postgres World ${location} ${text}${known === undefined ? "" : ` (${detail})`}`,
    { cause, retryable, damaged: /^XX00[12]$/.test(code ?? "") },
  );
}

function explanationOf(error: unknown, reached: boolean): Explanation | undefined {
  if (isOverdue(error)) return reached ? OVERDUE : NOT_ANSWERED;
  if (isUnreachable(error)) return reached ? UNREACHABLE : isClosed(error) ? CLOSED : NOT_REACHED;
  const code = codeOf(error) ?? "";
  const message = error instanceof Error ? error.message : "";
  if (/does not support SSL|establishing an SSL/.test(message)) return NO_TLS;
  if (/^(ERR_TLS_CERT|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)/.test(code)) return UNTRUSTED;
  if (/^received invalid response|^Unknown authentication/.test(message)) return NOT_POSTGRES;
  if (/^SASL: /.test(message)) return NO_PASSWORD;
  if (/^Cannot use a pool after calling end/.test(message)) return POOL_ENDED;
  return EXPLANATIONS[code];
}

/** The connection was made, and ended by the other side. */
function isClosed(error: unknown): boolean {
  const message = error instanceof Error ? error.message : "";
  return /^(ECONNRESET|EPIPE)$/.test(codeOf(error) ?? "") || /^Connection terminated unex/.test(message);
}

/** No answer within the time, by this World or by the driver. */
export function isOverdue(error: unknown): boolean {
  return (
    error instanceof Overdue ||
    (error instanceof Error &&
      /^(timeout e|Query read timeout|Connection terminated due to connection timeout)/.test(error.message))
  );
}

/**
 * A copy of an error that is safe to print. The driver's own has the values of a row in `detail` and the parameters of a
 * statement in `where`, and the pool's has the client.
 */
export function withoutValues(error: unknown): Error {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : "unknown error";
  const isSafe = code === undefined || !SQLSTATE.test(code) || SAFE_CLASSES.test(code);
  const copy = new Error(isSafe ? message : `SQLSTATE ${code}`);
  return code === undefined ? copy : Object.assign(copy, { code });
}
