/** A Postgres server of our own: a fresh cluster on a free port, ended and removed when it is no longer needed. */
import { execFile, spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { type Account, endWithOwner, makeFolder, removeFolder, unprivileged } from "./folder.ts";
import type { Binaries } from "./postgres-binaries.ts";
import { endProcess, freePort, isAlive } from "./process.ts";
import { RUN_OWNER } from "./shared.ts";

const run = promisify(execFile);

export interface ServerOptions {
  /** Whether commits reach the disk. Off is faster, and loses nothing as long as the machine runs. Default true. */
  readonly fsync?: boolean;
  /** More settings of `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** A cluster on the disk that can be started. */
export interface Cluster {
  readonly folder: string;
  readonly data: string;
  readonly port: number;
  readonly bin: string;
  readonly account: Account;
  readonly url: string;
}

/** Makes a new cluster. Its superuser is `postgres`, with a random password; it listens at 127.0.0.1 alone. */
export async function createCluster(binaries: Binaries, options: ServerOptions): Promise<Cluster> {
  const account = unprivileged();
  // A temporary folder may be memory, where a flush shows nothing.
  const parent = options.fsync !== false && existsSync("/var/tmp") ? "/var/tmp" : tmpdir();
  const folder = makeFolder("postgres", account, parent);
  const data = join(folder, "data");
  const password = crypto.randomUUID();
  const port = await freePort();
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, password);
  try {
    await run(
      join(binaries.bin, "initdb"),
      [
        ...["-D", data, "-U", "postgres", "-A", "password", `--pwfile=${passwordFile}`],
        ...["-E", "UTF8", "--locale=C", "--no-sync"],
      ],
      { ...account, cwd: folder },
    );
  } catch (error) {
    removeFolder(folder);
    throw new Error(`initdb of ${binaries.source} failed: ${(error as { stderr?: string }).stderr}`, {
      cause: error,
    });
  }
  const settings: Record<string, string | number> = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: options.fsync === false ? "off" : "on",
    max_connections: 300,
    shared_buffers: "128MB",
    log_min_messages: "warning",
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'`);
  writeFileSync(join(data, "postgresql.auto.conf"), `${lines.join("\n")}\n`);
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  return { folder, data, port, bin: binaries.bin, account, url };
}

/** Starts the server of a cluster and waits until it answers; returns its process id. */
export async function startCluster(cluster: Cluster): Promise<number> {
  const logFile = join(cluster.folder, "server.log");
  const log = openSync(logFile, "a");
  // Detached, so that it outlives the test process that happened to start it.
  const child = spawn(join(cluster.bin, "postgres"), ["-D", cluster.data], {
    ...cluster.account,
    cwd: cluster.folder,
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${cluster.bin} has no postgres that can be executed.`);
  while (!(await answers(cluster.url))) {
    if (child.exitCode !== null || !isAlive(pid)) {
      throw new Error(`The Postgres server did not start:\n${readFileSync(logFile, "utf8")}`);
    }
    await delay(30);
  }
  return pid;
}

/** Lets the server of a cluster end with the process that needs it. */
export function leaveWatchdog(cluster: Cluster): void {
  const owner = Number(process.env[RUN_OWNER] ?? process.pid);
  endWithOwner(cluster.folder, owner, join(cluster.data, "postmaster.pid"), "QUIT");
}

export async function stopCluster(cluster: Cluster, pid: number): Promise<void> {
  await endProcess(pid, "SIGQUIT");
  removeFolder(cluster.folder);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
