/** A Redis server of our own: a fresh folder and a free port, ended and removed when it is no longer needed. */
import { execFile, spawn } from "node:child_process";
import { chownSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { endWithOwner, makeFolder, removeFolder, unprivileged } from "./folder.ts";
import { endProcess, freePort, isAlive } from "./process.ts";
import type { RedisProgram } from "./redis-binaries.ts";
import { RUN_OWNER } from "./shared.ts";

const run = promisify(execFile);

export interface RedisOptions {
  /** Settings of `redis.conf`, over the defaults: AOF on, fsync every second, no snapshots. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Where its folder is made. Default: the system's temporary folder. */
  readonly parent?: string;
  /** Runs as a sentinel instead. */
  readonly sentinel?: boolean;
}

/** A server on the disk that can be started. */
export interface RedisFolder {
  readonly program: RedisProgram;
  readonly folder: string;
  readonly port: number;
  readonly sentinel: boolean;
}

/** Makes a folder with a configuration; it listens at 127.0.0.1 alone. */
export async function createServer(program: RedisProgram, options: RedisOptions = {}): Promise<RedisFolder> {
  const account = unprivileged();
  const folder = makeFolder("redis", account, options.parent ?? tmpdir());
  const port = await redisPort();
  const sentinel = options.sentinel === true;
  const settings: Record<string, string | number> = {
    port,
    bind: "127.0.0.1",
    dir: program.type === "docker" ? "/data" : folder,
    ...(program.type === "docker" ? {} : { pidfile: join(folder, "server.pid") }),
    ...(sentinel
      ? {}
      : { appendonly: "yes", appendfsync: "everysec", save: '""', "enable-debug-command": "local" }),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  // A sentinel writes its configuration anew, so it has to own the file.
  const file = join(folder, "redis.conf");
  writeFileSync(file, `${lines.join("\n")}\n`);
  if (account.uid !== undefined) chownSync(file, account.uid, account.gid);
  return { program, folder, port, sentinel };
}

/** Starts the server of a folder and waits until it has loaded its data; returns its process id, 0 for a container. */
export async function startServer(server: RedisFolder): Promise<number> {
  const { program, folder, port } = server;
  const configuration = join(folder, "redis.conf");
  if (program.type === "docker") {
    const name = containerOf(server);
    await run("docker", [
      ...["run", "-d", "--rm", "--name", name, "--network", "host", "-v", `${folder}:/data`, program.image],
      ...["redis-server", "/data/redis.conf", ...(server.sentinel ? ["--sentinel"] : [])],
    ]);
    while ((await ping(port)) !== "ready") await delay(30);
    return 0;
  }
  const logFile = join(folder, "server.log");
  const log = openSync(logFile, "a");
  // Detached, so that it outlives the test process that happened to start it.
  const child = spawn(program.path, [configuration, ...(server.sentinel ? ["--sentinel"] : [])], {
    ...unprivileged(),
    cwd: folder,
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program.path} cannot be executed.`);
  writeFileSync(join(folder, "owner.pid"), String(pid));
  while ((await ping(port)) !== "ready") {
    if (child.exitCode !== null || !isAlive(pid)) {
      throw new Error(`The Redis server did not start:\n${readFileSync(logFile, "utf8")}`);
    }
    await delay(20);
  }
  return pid;
}

/** Ends a server as `kill -9` does. */
export async function killServer(server: RedisFolder, pid: number): Promise<void> {
  if (server.program.type === "docker") await run("docker", ["kill", containerOf(server)]).catch(() => {});
  else await endProcess(pid, "SIGKILL");
}

/** Ends a server and removes its folder. */
export async function removeServer(server: RedisFolder, pid: number): Promise<void> {
  await killServer(server, pid);
  removeFolder(server.folder);
}

/** Lets a server end with the process that needs it. */
export function leaveWatchdog(server: RedisFolder): void {
  const owner = Number(process.env[RUN_OWNER] ?? process.pid);
  endWithOwner(server.folder, owner, join(server.folder, "owner.pid"), "KILL");
}

function containerOf({ port }: RedisFolder): string {
  return `perdure-redis-${port}`;
}

// A node of a Cluster listens at its port + 10,000 too.
async function redisPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

/** What a server says to PING, without a client. */
function ping(port: number): Promise<"ready" | "loading" | "down"> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(2_000, () => socket.destroy());
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => {
      resolve(String(data).startsWith("+PONG") ? "ready" : "loading");
      socket.destroy();
    });
    socket.once("error", () => {});
    socket.once("close", () => resolve("down"));
  });
}
