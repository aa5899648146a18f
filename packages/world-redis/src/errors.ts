/**
 * What a user reads when Redis refuses or cannot be reached: what is wrong and what to do. The client's own error stays
 * the `cause`.
 */
import { WorldError } from "@perdure/core/errors";

interface Explanation {
  readonly text: string;
  /** `"later"`: not while opening; a World that has been open goes on when the server's settings are right again. */
  readonly retryable: boolean | "later";
}

const NO_RIGHTS: Explanation = {
  text:
    "does not permit this user what is needed: EVALSHA, EVAL, the data commands in scripts, INFO, SELECT, PUBLISH and " +
    "SUBSCRIBE, on the keys and channels with this prefix.",
  retryable: "later",
};

/** By the first word of the server's error. */
const EXPLANATIONS: ReadonlyMap<string, Explanation> = new Map([
  [
    "OOM",
    {
      text:
        "is out of memory (maxmemory). This call wrote nothing. Make room: raise maxmemory, or delete old runs " +
        "(the option `retention` of workers, or `perdure prune`). Workers go on by themselves.",
      retryable: true,
    },
  ],
  ["LOADING", { text: "is loading its data from the disk; workers go on when it is done.", retryable: true }],
  [
    "READONLY",
    {
      text: "is a replica. If there was a failover, workers go on when they reach the new master.",
      retryable: true,
    },
  ],
  [
    "MASTERDOWN",
    { text: "is a replica whose master is down; workers go on when there is a master.", retryable: true },
  ],
  [
    "CLUSTERDOWN",
    { text: "does not serve all slots; workers go on when the cluster is whole.", retryable: true },
  ],
  [
    "TRYAGAIN",
    { text: "is moving a partition to another node; workers go on when it is done.", retryable: true },
  ],
  [
    "MISCONF",
    {
      text: "refuses writes because it could not save to its disk. See the server's log; workers go on by themselves.",
      retryable: true,
    },
  ],
  [
    "NOREPLICAS",
    { text: "refuses writes because it has too few replicas (min-replicas-to-write).", retryable: true },
  ],
  [
    "BUSY",
    {
      text: "is busy with a script of somebody else for longer than lua-time-limit. See SCRIPT KILL.",
      retryable: true,
    },
  ],
  [
    "NOAUTH",
    { text: "asks for a password. Set it in the URL or in `connection.password`.", retryable: "later" },
  ],
  [
    "WRONGPASS",
    { text: "refuses this user name and password. Check the URL or `connection`.", retryable: "later" },
  ],
  ["NOPERM", NO_RIGHTS],
  [
    "NOSTORE",
    {
      text:
        "has lost a partition of this store: its `meta` key is gone. If the data was flushed, open the World again; " +
        "if a slot is being moved, workers go on when it is done.",
      retryable: true,
    },
  ],
  [
    "DAMAGED",
    {
      text:
        "has a run whose journal is not as long as its row says: keys were deleted or evicted. Nothing was written to it; " +
        "restore a backup.",
      retryable: false,
    },
  ],
  [
    "WRONGTYPE",
    {
      text: "has a key of a run that somebody has replaced with one of another type. Restore a backup, or delete the run.",
      retryable: false,
    },
  ],
]);

/** By what else the server or the client says. The first that fits counts. */
const PATTERNS: readonly (readonly [RegExp, Explanation])[] = [
  // What NOPERM is called where a script meets it.
  [/The user executing the script can't/, NO_RIGHTS],
  [
    /DB index is out of range|SELECT is not allowed in cluster mode/,
    { text: "does not have this database number. See the server's setting `databases`.", retryable: "later" },
  ],
  [
    /Protocol error|string longer than|ERR_STRING_TOO_LONG|ERR_OUT_OF_RANGE|Invalid typed array length|Array buffer allocation/,
    {
      text:
        "cannot take so large a value (see `proto-max-bulk-len`, and `capabilities.largestValue` of the World). This call " +
        "wrote nothing.",
      retryable: false,
    },
  ],
  [
    /Unknown RESP type|Invalid RESP|unexpected reply/i,
    {
      text:
        "answers in another protocol than that of Redis. Check host and port; a server that expects TLS is reached by " +
        "`rediss://`.",
      retryable: "later",
    },
  ],
  [
    /SSL|TLS|EPROTO|certificate/,
    {
      text:
        "and this client do not agree on TLS. A server without TLS is reached by `redis://`; a certificate of an " +
        "authority of your own is named in `connection.tls`.",
      retryable: "later",
    },
  ],
  [
    /cluster support disabled/,
    { text: "is no Cluster. Give its address as `url` in place of `cluster`.", retryable: "later" },
  ],
  [
    /unknown command .?sentinel/i,
    {
      text: "is no Sentinel. `sentinel.nodes` has the addresses of the sentinels, a server's own is a `url`.",
      retryable: "later",
    },
  ],
  [/invalid password/, { text: "refuses this password. Check the URL or `connection`.", retryable: "later" }],
];

const UNREACHED: Explanation = {
  text: "does not answer. Whether this call wrote anything is not known; sent again, it has one effect.",
  retryable: true,
};

const NOT_OPENED: Explanation = {
  text: "cannot be reached. Check host and port, and that the server is up.",
  retryable: true,
};

/** The connection was made, and ended by the other side. */
const CLOSED: Explanation = {
  text:
    "closes the connection. Check host and port: it may be a server of another protocol, or one that expects TLS " +
    "(`rediss://`).",
  retryable: true,
};

/** What the client says when it does not get through. */
const UNREACHABLE =
  /ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|max retries|Connection is closed|isn't writeable|timed out|All sentinels|startup nodes|slots cache/;

/** The error of a run that cannot be read, however often it is tried. */
export function damaged(runId: string, what: string): WorldError {
  return new WorldError(
    `Run ${runId} cannot be read from Redis: ${what}. Its keys were changed or deleted by somebody else; restore a backup.`,
    { retryable: false, damaged: true },
  );
}

/** Errors of the server after which the same command may succeed in a moment. Nothing was written. */
const PASSING = new Set(["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED"]);

/** The first word of a server's error, such as `OOM`. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return /^([A-Z]{2,})\b/.exec(error.message)?.[1];
}

/** Tells whether the server said that it will be able to do this in a moment. */
export function isPassing(error: unknown): boolean {
  const code = replyCode(error);
  return code !== undefined && PASSING.has(code);
}

/**
 * The error to throw for what happened on a store. An error of this World stays as it is.
 *
 * @param opening the World is not open yet, so that what the server refuses is a mistake in the options
 */
export function worldError(error: unknown, location: string, opening = false): unknown {
  if (WorldError.is(error) || error instanceof TypeError) return error;
  const cause = withoutArguments(error);
  const reason = reasonOf(cause);
  const known = explanationOf(reason, cause, opening);
  const message =
    known === undefined
      ? `The Redis World at ${location} failed: ${reason}`
      : `The Redis World at ${location} ${known.text} (${reason.slice(0, 160)})`;
  const retryable = known?.retryable ?? true;
  return new WorldError(message, {
    cause,
    retryable: retryable === "later" ? !opening : retryable,
    damaged: ["DAMAGED", "WRONGTYPE"].includes(replyCode(cause) ?? ""),
  });
}

/** Tells whether opening has no chance until somebody changes the options or the server. */
export function isRefusal(error: unknown): boolean {
  const retryable = explanationOf(reasonOf(error), error, true)?.retryable ?? true;
  return retryable !== true;
}

function explanationOf(reason: string, error: unknown, opening: boolean): Explanation | undefined {
  const byCode = EXPLANATIONS.get(replyCode(error) ?? replyCode(lastNodeErrorOf(error)) ?? "");
  if (byCode !== undefined) return byCode;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = `${reason} ${code}`;
  const pattern = PATTERNS.find(([words]) => words.test(text));
  if (pattern !== undefined) return pattern[1];
  if (!UNREACHABLE.test(text)) return undefined;
  if (!opening) return UNREACHED;
  return /ECONNRESET|EPIPE|^Connection is closed/.test(text) ? CLOSED : NOT_OPENED;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const reason = error.message || String((error as { readonly code?: unknown }).code ?? error.name);
  const node = lastNodeErrorOf(error);
  return node === undefined ? reason : `${reason} ${node.message}`;
}

/** What the client of a Cluster heard from the node that it asked last. */
function lastNodeErrorOf(error: unknown): Error | undefined {
  const { lastNodeError } = (error ?? {}) as { readonly lastNodeError?: unknown };
  return lastNodeError instanceof Error ? lastNodeError : undefined;
}

/**
 * The client's own error without what was sent: a command's arguments are passwords, names, tokens and payloads, and
 * some servers repeat them.
 */
export function withoutArguments(error: unknown): unknown {
  const seen = new Set<unknown>();
  const strip = (value: unknown): void => {
    if (!(value instanceof Error) || seen.has(value)) return;
    seen.add(value);
    const parts = value as { command?: { name?: unknown }; lastNodeError?: unknown; errors?: unknown };
    if (parts.command !== undefined) parts.command = { name: parts.command.name };
    const [words] = value.message.split(/,? with args beginning with/) as [string];
    if (words !== value.message) {
      value.stack = `${value.name}: ${words}`;
      value.message = words;
    }
    strip(value.cause);
    strip(parts.lastNodeError);
    if (Array.isArray(parts.errors)) for (const part of parts.errors) strip(part);
  };
  strip(error);
  return error;
}
