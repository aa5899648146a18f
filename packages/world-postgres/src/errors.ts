/**
 * What a user reads when Postgres refuses: which database, what is wrong and what to do. The driver's own error stays the
 * `cause`.
 */
import { WorldError } from "@perdure/core/errors";

interface Explanation {
  readonly text: string;
  readonly retryable: boolean;
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

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  "28P01": { text: "refuses the password. Check the URL.", retryable: false },
  "28000": { text: "refuses this user. Check the URL and the server's pg_hba.conf.", retryable: false },
  "3D000": { text: "has no such database. Create it, or check the URL.", retryable: false },
  "42501": {
    text: "does not permit this to the user it was given. Grant it, or let the owner of the schema migrate; see the README.",
    retryable: false,
  },
  "42P01": { text: "lacks a table. Call open() again to create what is missing.", retryable: false },
  "42883": { text: "lacks a function. Call open() again to create what is missing.", retryable: false },
  "25006": { text: "is read-only, as a standby is. Writes go on when it is the primary.", retryable: true },
  "53100": {
    text: "has no room: its disk is full. Nothing was written. Make room; workers go on.",
    retryable: true,
  },
  "53300": {
    text: "has no connection left. Raise max_connections, or lower maxConnections.",
    retryable: true,
  },
  XX001: { text: "reports damaged data. Stop every worker and look at the server's log.", retryable: false },
  XX002: {
    text: "reports a damaged index. Stop every worker and look at the server's log.",
    retryable: false,
  },
};

// PgBouncer gives this code to everything that it refuses or fails at, a database that does not exist included.
const POOLER = "08P01";

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
  if (/^(08...|57P0[1-5]|E(CONN|TIMEDOUT|PIPE|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOTFOUND)\w*)$/.test(code))
    return true;
  return (
    error instanceof Error &&
    /^(Connection terminated|timeout exceeded when trying to connect|Client has enc)/i.test(error.message)
  );
}

/**
 * The error to throw for what happened on a store, or, without `reached`, when it was to be opened. An error of this World
 * stays as it is.
 */
export function worldError(
  error: unknown,
  location: string,
  { reached = true }: { reached?: boolean } = {},
): unknown {
  if (WorldError.is(error)) return error;
  const code = codeOf(error);
  const known = isUnreachable(error) ? (reached ? UNREACHABLE : NOT_REACHED) : EXPLANATIONS[code ?? ""];
  // Not from the driver, such as the conformance suite's own.
  if (known === undefined && (code === undefined || !/^[0-9A-Z]{5}$/.test(code))) return error;
  const message = error instanceof Error ? error.message : String(error);
  const text = known?.text ?? `failed: ${message}`;
  // Bad data (22), limits of the program (54) and syntax (42) fail the same way each time.
  const retryable = known?.retryable ?? !/^(22|42|54)/.test(code ?? "");
  const detail = code === undefined || code === POOLER ? message : code;
  return new WorldError(
    `The Postgres World ${location} ${text}${known === undefined ? "" : ` (${detail})`}`,
    {
      cause: error,
      retryable,
    },
  );
}
