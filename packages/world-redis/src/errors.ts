/**
 * What a user reads when Redis refuses or cannot be reached: what is wrong and what to do. The client's own error stays
 * the `cause`.
 */
import { WorldError } from "@perdure/core/errors";

interface Explanation {
  readonly text: string;
  readonly retryable: boolean;
}

/** By the first word of the server's error. */
const EXPLANATIONS: ReadonlyMap<string, Explanation> = new Map([
  [
    "OOM",
    {
      text:
        "is out of memory (maxmemory). This call wrote nothing. Make room: raise maxmemory, or delete old runs " +
        "(option `retention`). Workers go on by themselves.",
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
    { text: "asks for a password. Set it in the URL or in `connection.password`.", retryable: false },
  ],
  ["WRONGPASS", { text: "does not accept this user name and password.", retryable: false }],
  [
    "NOPERM",
    {
      text:
        "does not permit this user what is needed: EVALSHA, EVAL, the data commands in scripts, INFO, PUBLISH and " +
        "SUBSCRIBE, on the keys and channels with this prefix.",
      retryable: false,
    },
  ],
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
        "has a run whose journal is not as long as its row says. Nothing was written. If a slot is being moved, workers " +
        "go on when it is done; else keys were deleted or evicted, and a backup has to be restored.",
      retryable: true,
    },
  ],
]);

const UNREACHED: Explanation = {
  text: "does not answer. Whether this call wrote anything is not known; sent again, it has one effect.",
  retryable: true,
};

/** What the client says when it does not get through. */
const UNREACHABLE =
  /ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|max retries|Connection is closed|All sentinels/;

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

/** The error to throw for what happened on a store. An error of this World stays as it is. */
export function worldError(error: unknown, location: string): unknown {
  if (WorldError.is(error) || error instanceof TypeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const known = UNREACHABLE.test(reason) ? UNREACHED : EXPLANATIONS.get(replyCode(error) ?? "");
  const message =
    known === undefined
      ? `The Redis World at ${location} failed: ${reason}`
      : `The Redis World at ${location} ${known.text} (${reason.slice(0, 120)})`;
  return new WorldError(message, { cause: error, retryable: known?.retryable ?? true });
}
