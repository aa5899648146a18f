/**
 * What an acknowledged commit survives: read from the server, shown to the user, and, where the user asked for more
 * than the server does by itself, waited for.
 */
import { WorldError } from "@perdure/core/errors";
import type { WorldCapabilities } from "@perdure/core/world";
import type { Redis } from "ioredis";
import type { Confirmation } from "./caller.ts";
import type { Config } from "./config.ts";

/** What a server says of itself; unknown where it does not say. */
export interface ServerSettings {
  readonly version: string;
  readonly software: string;
  readonly appendonly: boolean;
  readonly appendfsync: string;
  readonly maxmemory: number;
  readonly maxmemoryPolicy: string;
  readonly replicas: number;
  /** The longest argument that the server takes, in bytes (`proto-max-bulk-len`). */
  readonly longestArgument: number;
  /** The longest command that it takes, in bytes (`client-query-buffer-limit`). */
  readonly longestCommand: number;
}

// How long a commit waits for replicas or for the disk (ms) before it is an error; the engine sends it again.
const CONFIRMATION_TIMEOUT = 5_000;

// What a server takes that does not say otherwise.
const LONGEST_ARGUMENT = 512 * 1_024 * 1_024;
const LONGEST_COMMAND = 1_024 * 1_024 * 1_024;

export async function readSettings(node: Redis): Promise<ServerSettings> {
  const info = infoOf(await node.info());
  // Managed services often forbid CONFIG; INFO tells all but the fsync policy.
  const setting = (name: string): Promise<string> =>
    node.config("GET", name).then(
      (answer) => String(Object.values(answer as object).at(-1) ?? "unknown"),
      () => "unknown",
    );
  const [appendfsync, longestArgument, longestCommand] = await Promise.all([
    setting("appendfsync"),
    setting("proto-max-bulk-len"),
    setting("client-query-buffer-limit"),
  ]);
  return {
    version: info.get("valkey_version") ?? info.get("redis_version") ?? "unknown",
    software: info.has("valkey_version") ? "valkey" : "redis",
    appendonly: info.get("aof_enabled") === "1",
    appendfsync,
    longestArgument: Number(longestArgument) || LONGEST_ARGUMENT,
    longestCommand: Number(longestCommand) || LONGEST_COMMAND,
    maxmemory: Number(info.get("maxmemory") ?? 0),
    maxmemoryPolicy: info.get("maxmemory_policy") ?? "unknown",
    replicas: Number(info.get("connected_slaves") ?? 0),
  };
}

function infoOf(text: string): Map<string, string> {
  const pairs = text.split("\r\n").map((line) => line.split(":", 2));
  return new Map(pairs.filter((pair): pair is [string, string] => pair.length === 2));
}

/**
 * Refuses a server that cannot keep what it is given.
 *
 * @throws {WorldError} that names the command which mends it
 */
export function checkSettings(settings: ServerSettings, config: Config, location: string): void {
  if (config.eviction === "refuse" && settings.maxmemoryPolicy.startsWith("allkeys")) {
    throw new WorldError(
      `The Redis server at ${location} has maxmemory-policy ${settings.maxmemoryPolicy}: it drops keys when its memory ` +
        "is full, and with them runs. Set it: CONFIG SET maxmemory-policy noeviction. Or take the risk with the option " +
        '`eviction: "accept"`.',
      { retryable: false },
    );
  }
  if (config.durability === "aof" && !settings.appendonly) {
    throw new WorldError(
      `The Redis server at ${location} keeps no append-only file, so durability "aof" is not possible. Set it: ` +
        "CONFIG SET appendonly yes, and CONFIG SET appendfsync always.",
      { retryable: false },
    );
  }
  if (config.durability === "aof" && settings.appendfsync !== "always" && !hasWaitAof(settings)) {
    throw new WorldError(
      `The Redis server at ${location} (${settings.version}) has appendfsync ${settings.appendfsync}, and WAITAOF came ` +
        'with Redis 7.2, so durability "aof" is not possible. Set it: CONFIG SET appendfsync always.',
      { retryable: false },
    );
  }
}

/** What has to be waited for behind a write, if anything. */
export function confirmationOf(settings: readonly ServerSettings[], config: Config): Confirmation | null {
  // The server gives up before the caller does, so that it is known what was missing.
  const timeout = Math.ceil(Math.min(CONFIRMATION_TIMEOUT, config.callTimeout / 2));
  if (config.durability === "replicated") {
    return {
      command: ["wait", config.replicas, timeout],
      check: (answer) => requireCount(Number(answer), config.replicas, "replicas have it", timeout),
    };
  }
  // With appendfsync always the server answers only after the flush.
  if (config.durability === "memory" || settings.every(({ appendfsync }) => appendfsync === "always"))
    return null;
  return {
    command: ["waitaof", 1, 0, timeout],
    check: (answer) => requireCount(Number((answer as readonly unknown[])[0]), 1, "disks have it", timeout),
  };
}

/** In the words of the contract; the weakest of all masters counts. */
export function durabilityOf(
  settings: readonly ServerSettings[],
  config: Config,
): WorldCapabilities["durability"] {
  if (settings.some(({ appendonly }) => !appendonly)) return "nothing";
  if (config.durability === "aof") return "machine";
  return settings.every(({ appendfsync }) => appendfsync === "always") ? "machine" : "process";
}

/** In the words of a user. */
export function survives(settings: readonly ServerSettings[], config: Config): string {
  const replicated =
    config.durability === "replicated" ? `, and the loss of ${config.replicas} of its machines` : "";
  switch (durabilityOf(settings, config)) {
    case "nothing":
      return `nothing that ends the server${replicated}`;
    case "process":
      return `the end of the server, but for the last second or two${replicated}`;
    case "machine":
      return `the end of the server and power loss${replicated}`;
  }
}

function hasWaitAof({ software, version }: ServerSettings): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return software === "valkey" || major > 7 || (major === 7 && minor >= 2);
}

function requireCount(count: number, wanted: number, what: string, timeout: number): void {
  if (count >= wanted) return;
  throw new WorldError(
    `The write is done, but within ${timeout} ms only ${count} of ${wanted} ${what}. It is sent again.`,
  );
}
