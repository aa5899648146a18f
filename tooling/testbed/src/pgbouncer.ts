/**
 * Starts a real PgBouncer: the program of this machine, else the package of a Debian or Ubuntu system. It listens at
 * 127.0.0.1 on a free port, and ends with this process at the latest.
 */
import { spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { endWithOwner, makeFolder, removeFolder, unprivileged } from "./folder.ts";
import { endProcess, freePort, isAlive } from "./process.ts";
import { findProgram } from "./programs.ts";
import { RUN_OWNER } from "./shared.ts";

const PID_FILE = "owner.pid";

/** A pooler of one's own. */
export interface PgBouncer extends AsyncDisposable {
  /** The server's URL, with the pooler's address. */
  readonly url: string;
  /** Ends it as `kill -9` does and starts it again. */
  restart(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/**
 * Starts a pooler before a server, and waits until it serves.
 *
 * @param serverUrl the server that it stands before
 * @param settings settings of `pgbouncer.ini`, over the defaults: transaction mode
 * @throws where there is no PgBouncer to start; the message names the command that mends it
 */
export async function startPgBouncer(
  serverUrl: string,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<PgBouncer> {
  const program = await findProgram(["pgbouncer"], { package: "pgbouncer" });
  if (program === undefined) {
    throw new Error(
      "There is no PgBouncer here. Do one of these: `apt-get install pgbouncer`, `brew install pgbouncer`.",
    );
  }
  const folder = makeFolder("pgbouncer", unprivileged());
  const url = new URL(serverUrl);
  const port = await freePort();
  writeConfiguration(folder, url, { listen_port: port, ...settings });
  endWithOwner(folder, Number(process.env[RUN_OWNER] ?? process.pid), join(folder, PID_FILE), "KILL");
  url.hostname = "127.0.0.1";
  url.port = String(port);
  let pid = await start(program, folder, url.href);
  const stop = async (): Promise<void> => {
    await endProcess(pid, "SIGKILL");
    removeFolder(folder);
  };
  return {
    url: url.href,
    async restart() {
      await endProcess(pid, "SIGKILL");
      pid = await start(program, folder, url.href);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Waits until it serves clients of this URL; returns its process id. */
async function start(program: string, folder: string, url: string): Promise<number> {
  const logFile = join(folder, "pgbouncer.log");
  const log = openSync(logFile, "a");
  const child = spawn(program, ["-q", join(folder, "pgbouncer.ini")], {
    ...unprivileged(),
    cwd: folder,
    stdio: ["ignore", log, log],
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} cannot be executed.`);
  writeFileSync(join(folder, PID_FILE), String(pid));
  for (let error = await refusal(url); error !== undefined; error = await refusal(url)) {
    const refused = (error as Partial<pg.DatabaseError>).severity !== undefined;
    if (refused || !isAlive(pid)) {
      throw new Error(`PgBouncer did not start:\n${readFileSync(logFile, "utf8")}`, { cause: error });
    }
    await delay(20);
  }
  return pid;
}

function writeConfiguration(
  folder: string,
  server: URL,
  own: Readonly<Record<string, string | number>>,
): void {
  const quoted = (text: string): string => `"${decodeURIComponent(text).replaceAll('"', '""')}"`;
  writeFileSync(join(folder, "users.txt"), `${quoted(server.username)} ${quoted(server.password)}\n`);
  const settings = {
    listen_addr: "127.0.0.1",
    unix_socket_dir: "",
    auth_type: server.password === "" ? "trust" : "scram-sha-256",
    auth_file: join(folder, "users.txt"),
    pool_mode: "transaction",
    ...own,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(
    join(folder, "pgbouncer.ini"),
    `[databases]\n* = host=${server.hostname} port=${server.port || 5432}\n[pgbouncer]\n${lines.join("\n")}\n`,
  );
}

/** Why a client is not served, or `undefined`. */
async function refusal(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("SELECT 1");
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client.end().catch(() => {});
  }
}
