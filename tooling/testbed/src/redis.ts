/**
 * Finds or starts a real Redis: `PERDURE_TEST_REDIS_URL`, else a `redis-server` or `valkey-server` of this machine, else
 * the package of a Debian or Ubuntu system, else a container.
 */
import { findRedis } from "./redis-binaries.ts";
import {
  createServer,
  killServer,
  leaveWatchdog,
  type RedisOptions,
  removeServer,
  startServer,
} from "./redis-server.ts";
import { runFolder, sharedInRun } from "./shared.ts";
import type { SharedServer } from "./vitest-setup.ts";

export type { RedisOptions } from "./redis-server.ts";

/** A server of one's own. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Ends the server as `kill -9` does and leaves it down until `restart`. */
  crash(): Promise<void>;
  /** Crashes the server, if it is not down already, and starts it again; resolves when its data is loaded. */
  restart(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

/** Starts a server that nobody else uses, so that it may be crashed. It ends with this process at the latest. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await createServer(await findRedis(), options);
  leaveWatchdog(server);
  let pid = await startServer(server);
  const stop = (): Promise<void> => removeServer(server, pid);
  return {
    url: `redis://127.0.0.1:${server.port}`,
    port: server.port,
    crash: () => killServer(server, pid),
    async restart() {
      await killServer(server, pid);
      pid = await startServer(server);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The URL of a server, for who only needs one, and how it is given back. */
export async function redis(
  options: RedisOptions = {},
): Promise<{ readonly url: string; stop(): Promise<void>; restart?: RedisServer["restart"] }> {
  const url = process.env.PERDURE_TEST_REDIS_URL;
  return url === undefined ? startRedis(options) : { url, stop: async () => {} };
}

/**
 * The server that all test files of this vitest run share; keep to a prefix of your own. The first file that asks starts
 * it.
 */
export async function sharedRedis(): Promise<{ readonly url: string }> {
  const url = process.env.PERDURE_TEST_REDIS_URL;
  if (url !== undefined) return { url };
  const folder = runFolder();
  if (folder === undefined) return startRedis();
  return sharedInRun<SharedServer & { readonly url: string }>("redis", folder, async () => {
    const server = await createServer(await findRedis(), { settings: { appendonly: "no" } });
    leaveWatchdog(server);
    const pid = await startServer(server);
    return {
      url: `redis://127.0.0.1:${server.port}`,
      pid: pid === 0 ? null : pid,
      stopSignal: "SIGKILL",
      folder: server.folder,
    };
  });
}
