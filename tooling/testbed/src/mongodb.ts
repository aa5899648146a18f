/**
 * Finds or starts a MongoDB: `PERDURE_TEST_MONGODB_URL`, else the `mongod` of this machine, else the one that
 * mongodb-memory-server downloads, else a container, else a partial server in memory from the registry.
 */
import { findMongodb, type MongodbProgram } from "./mongodb-programs.ts";
import {
  createServer,
  killServer,
  leaveWatchdog,
  type MongodbFolder,
  type MongodbOptions,
  removeServer,
  startServer,
} from "./mongodb-server.ts";
import { runFolder, sharedInRun } from "./shared.ts";
import type { SharedServer } from "./vitest-setup.ts";

export type { MongodbOptions } from "./mongodb-server.ts";

/** A server, and what it is. */
export interface Mongodb {
  readonly url: string;
  /** For the reports of tests: which server answered. */
  readonly source: string;
  /** Why it proves less than MongoDB's own server would; `null` where it is that, or one that the user named. */
  readonly partial: string | null;
}

/** A server of one's own. */
export interface MongodbServer extends Mongodb, AsyncDisposable {
  readonly port: number;
  /** Ends the server as `kill -9` does and leaves it down until `restart`. */
  crash(): Promise<void>;
  /** Starts it again after a crash. A partial server has forgotten everything. */
  restart(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

const PARTIAL = "the server is a partial one in memory: no restart with its data, no change streams";

/** Starts a server that nobody else uses, so that it may be crashed. It ends with this process at the latest. */
export async function startMongodb(options: MongodbOptions = {}): Promise<MongodbServer> {
  const server = await createServer(await program(), options);
  leaveWatchdog(server);
  let pid = await startServer(server);
  const stop = (): Promise<void> => removeServer(server, pid);
  return {
    ...told(server),
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

/** A server, for who only needs one, and how it is given back. */
export async function mongodb(
  options: MongodbOptions = {},
): Promise<Mongodb & { stop(): Promise<void>; restart?: MongodbServer["restart"] }> {
  const named = byUser();
  return named === undefined ? startMongodb(options) : { ...named, stop: async () => {} };
}

/**
 * The server that all test files of this vitest run share; keep to a database of your own. The first file that asks
 * starts it.
 */
export async function sharedMongodb(): Promise<Mongodb> {
  const named = byUser();
  if (named !== undefined) return named;
  const folder = runFolder();
  if (folder === undefined) return startMongodb();
  return sharedInRun<SharedServer & Mongodb>("mongodb", folder, async () => {
    const server = await createServer(await program());
    leaveWatchdog(server);
    const pid = await startServer(server);
    return {
      ...told(server),
      pid: pid === 0 ? null : pid,
      stopSignal: "SIGKILL",
      folder: server.folder,
    };
  });
}

/** What to start; looked for once in a run, because a download that the network forbids takes seconds to fail. */
async function program(): Promise<MongodbProgram> {
  const folder = runFolder();
  if (folder === undefined) return findMongodb();
  const nothing: SharedServer = { pid: null, stopSignal: "SIGKILL", folder: null };
  const found = await sharedInRun("mongodb-program", folder, async () => ({
    ...nothing,
    program: await findMongodb(),
  }));
  return found.program;
}

function byUser(): Mongodb | undefined {
  const url = process.env.PERDURE_TEST_MONGODB_URL;
  return url === undefined ? undefined : { url, source: "PERDURE_TEST_MONGODB_URL", partial: null };
}

function told({ url, program }: MongodbFolder): Mongodb {
  return { url, source: sourceOf(program), partial: program.type === "partial" ? PARTIAL : null };
}

function sourceOf(program: MongodbProgram): string {
  return program.type === "docker" ? `container ${program.image}` : program.source;
}
