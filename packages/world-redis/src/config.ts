/**
 * What a user may set, with its defaults, checked and resolved before anything is connected.
 */
import type { OperationProbe, WorldCapabilities } from "@perdure/core/world";
import type { Cluster, CommonRedisOptions, Redis } from "ioredis";

/** Options of ioredis that leave answers as they are. */
export type ConnectionSettings = Omit<CommonRedisOptions, "replyMapping">;

/** What an acknowledged commit must have reached. */
export type Durability =
  /** The server's memory; more only as far as the server is set up for it. */
  | "memory"
  /** The disk of the server (fsync): a `kill -9` of the server, or power loss, loses nothing. */
  | "aof"
  /** The memory of `replicas` replicas. */
  | "replicated";

/** A server's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Options of `redisWorld`. At most one of `url`, `cluster`, `sentinel` and `client`. */
export interface RedisWorldOptions {
  /** `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS. Default `redis://127.0.0.1:6379`. */
  readonly url?: string;
  /** Some nodes of a Redis Cluster; the others are found through them. */
  readonly cluster?: readonly (string | Address)[];
  /** The sentinels that know the master, and the name that they have for it. */
  readonly sentinel?: { readonly name: string; readonly nodes: readonly Address[] };
  /** An ioredis client of yours. It stays open on `close()`. */
  readonly client?: Redis | Cluster;
  /** Further options for ioredis, such as `password`, `db` and `tls`; not with `client`. */
  readonly connection?: ConnectionSettings;
  /** All keys begin with it. Default `"perdure"`. */
  readonly prefix?: string;
  /** Keeps several apps apart in one database. Letters, digits, `_` and `-`, at most 40. Default: none. */
  readonly namespace?: string;
  /**
   * Into how many parts runs are divided; each part lives in one slot of a Cluster. Fixed by the first World that opens
   * the store. Default: what the store has; a new one gets 1, and 16 on a Cluster.
   */
  readonly partitions?: number;
  /**
   * Whose clock judges what is due and which lease has run out: the server's, which all workers share, or that of
   * whoever calls. Default `"store"`.
   */
  readonly clock?: "store" | "caller";
  /** What a commit must have reached before it is acknowledged. Default `"memory"`. */
  readonly durability?: Durability;
  /** How many replicas `"replicated"` waits for. Default 1. */
  readonly replicas?: number;
  /** What is done about a server that may drop keys when its memory is full (`allkeys-*`). Default `"refuse"`. */
  readonly eviction?: "refuse" | "accept";
  /** How long a call tries to get through to the server before it fails, in milliseconds. Default 4,000. */
  readonly patience?: number;
  /**
   * How long the answer to a command may take, in milliseconds; then it counts as lost, and the next call uses a new
   * connection. Default 10,000.
   */
  readonly callTimeout?: number;
  /** For the conformance suite: called before each command. */
  readonly beforeOperation?: OperationProbe;
}

/** How the store is reached. */
export type Target =
  | { readonly type: "url"; readonly url: string }
  | { readonly type: "cluster"; readonly nodes: readonly (string | Address)[] }
  | { readonly type: "sentinel"; readonly name: string; readonly nodes: readonly Address[] }
  | { readonly type: "client"; readonly client: Redis | Cluster };

/** The options with nothing left open. */
export interface Config {
  readonly target: Target;
  readonly connection: ConnectionSettings;
  readonly prefix: string;
  readonly namespace: string;
  readonly partitions: number | undefined;
  readonly clock: "store" | "caller";
  readonly durability: Durability;
  readonly replicas: number;
  readonly eviction: "refuse" | "accept";
  readonly patience: number;
  readonly callTimeout: number;
  readonly beforeOperation: OperationProbe | undefined;
  readonly leaseKeeper: WorldCapabilities["leaseKeeper"];
}

/** Where the server is when nothing is said. */
export const DEFAULT_URL = "redis://127.0.0.1:6379";

const MOST_PARTITIONS = 1_024;
// Node's timers fire at once beyond it.
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** @throws {TypeError} for an option that makes no sense */
export function resolveConfig(options: RedisWorldOptions): Config {
  const { prefix = "perdure", namespace = "", partitions, clock = "store", durability = "memory" } = options;
  const { replicas = 1, eviction = "refuse", patience = 4_000, callTimeout = 10_000 } = options;
  check(!/[{}]/.test(prefix) && prefix !== "", "prefix is a text without braces.");
  check(
    /^[\w-]{0,40}$/.test(namespace),
    "namespace becomes part of keys: use at most 40 of A-Z, a-z, 0-9, _ and -.",
  );
  check(
    partitions === undefined ||
      (Number.isInteger(partitions) && partitions >= 1 && partitions <= MOST_PARTITIONS),
    `partitions is a whole number from 1 to ${MOST_PARTITIONS}.`,
  );
  check(["store", "caller"].includes(clock), 'clock is "store" or "caller".');
  check(
    ["memory", "aof", "replicated"].includes(durability),
    'durability is "memory", "aof" or "replicated".',
  );
  check(Number.isInteger(replicas) && replicas >= 1, "replicas is a whole number, 1 or more.");
  check(["refuse", "accept"].includes(eviction), 'eviction is "refuse" or "accept".');
  check(patience >= 0, "patience is a number of milliseconds, 0 or more.");
  check(
    callTimeout > 0 && callTimeout <= LONGEST_TIMEOUT,
    `callTimeout is a number of milliseconds, more than 0 and at most ${LONGEST_TIMEOUT}.`,
  );
  return {
    target: targetOf(options),
    connection: options.connection ?? {},
    prefix,
    namespace,
    partitions,
    clock,
    durability,
    replicas,
    eviction,
    patience,
    callTimeout,
    beforeOperation: options.beforeOperation,
    leaseKeeper: leaseKeeperOf(options),
  };
}

function targetOf({ url, cluster, sentinel, client, connection }: RedisWorldOptions): Target {
  const given = [url, cluster, sentinel, client].filter((value) => value !== undefined);
  check(given.length <= 1, "redisWorld takes one of `url`, `cluster`, `sentinel` and `client`.");
  check(
    client === undefined || connection === undefined,
    "`connection` has no effect on a `client` of yours.",
  );
  if (client !== undefined) return { type: "client", client };
  if (cluster !== undefined) {
    check(cluster.length > 0, "cluster names at least one node.");
    check(!connection?.db, "connection.db: a Cluster has database 0 only.");
    return { type: "cluster", nodes: cluster };
  }
  if (sentinel !== undefined) return { type: "sentinel", name: sentinel.name, nodes: sentinel.nodes };
  checkUrl(url ?? DEFAULT_URL);
  return { type: "url", url: url ?? DEFAULT_URL };
}

// Never shown as it is: it may hold a password.
function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  check(
    parsed !== null && ["redis:", "rediss:"].includes(parsed.protocol),
    "url is redis://user:password@host:port/database, or rediss:// for TLS; what is special in a user name or password " +
      "is percent-encoded.",
  );
  check(
    isDecodable(parsed?.username) && isDecodable(parsed?.password),
    "url: a % in user name or password is written as %25.",
  );
  check(/^\/?\d*$/.test(parsed?.pathname ?? ""), "url: what follows the host is the number of a database.");
}

function isDecodable(text = ""): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

// A client, and options with functions in them, cannot be sent to a thread: then leases are renewed from the event loop.
function leaseKeeperOf(options: RedisWorldOptions): WorldCapabilities["leaseKeeper"] {
  if (options.client !== undefined) return null;
  const { beforeOperation, ...rest } = options;
  try {
    const cloned = structuredClone(rest);
    return async () => ({ module: (await import("./keeper-url.ts")).keeperUrl, options: cloned });
  } catch {
    return null;
  }
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new TypeError(message);
}
