/** A MongoDB server of our own: a fresh folder and a free port, ended and removed when it is no longer needed. */
import { execFile, spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { MongoClient } from "mongodb";
import { endWithOwner, makeFolder, removeFolder, unprivileged } from "./folder.ts";
import type { MongodbProgram } from "./mongodb-programs.ts";
import { endProcess, freePort, isAlive } from "./process.ts";
import { RUN_OWNER } from "./shared.ts";

const run = promisify(execFile);

export interface MongodbOptions {
  /** A replica set of this one member: transactions and, where the server has them, change streams. */
  readonly replicaSet?: boolean;
}

/** A server that can be started. */
export interface MongodbFolder {
  readonly program: MongodbProgram;
  readonly folder: string;
  readonly port: number;
  readonly replicaSet: boolean;
  readonly url: string;
}

/** Makes the folder of a server that listens at 127.0.0.1 alone. */
export async function createServer(
  program: MongodbProgram,
  { replicaSet = false }: MongodbOptions = {},
): Promise<MongodbFolder> {
  const folder = makeFolder("mongodb", unprivileged());
  const port = await freePort();
  // The partial server does not stream its state, which the driver would take for lost connections.
  const query = program.type === "partial" ? "?serverMonitoringMode=poll" : "?directConnection=true";
  return { program, folder, port, replicaSet, url: `mongodb://127.0.0.1:${port}/${query}` };
}

/** Starts the server of a folder and waits until it takes writes; returns its process id, 0 for a container. */
export async function startServer(server: MongodbFolder): Promise<number> {
  const { program, folder, port, replicaSet } = server;
  const set = replicaSet ? replicaSetOf(program) : [];
  if (program.type === "docker") {
    await run("docker", [
      ...["run", "-d", "--rm", "--name", containerOf(server), "-p", `127.0.0.1:${port}:27017`, program.image],
      ...["mongod", "--bind_ip_all", ...set],
    ]);
    await ready(server, () => true);
    return 0;
  }
  const logFile = join(folder, "server.log");
  const log = openSync(logFile, "a");
  const args =
    program.type === "partial"
      ? ["--host=127.0.0.1", `--port=${port}`, ...set]
      : ["--dbpath", folder, "--bind_ip", "127.0.0.1", "--port", String(port), "--nounixsocket", ...set];
  // Detached, so that it outlives the test process that happened to start it.
  const child = spawn(program.path, args, {
    ...unprivileged(),
    cwd: folder,
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program.path} cannot be executed.`);
  writeFileSync(join(folder, "owner.pid"), String(pid));
  const lives = () => child.exitCode === null && isAlive(pid);
  if (!(await ready(server, lives))) {
    throw new Error(`The MongoDB server did not start:\n${readFileSync(logFile, "utf8")}`);
  }
  return pid;
}

/** Ends a server as `kill -9` does. */
export async function killServer(server: MongodbFolder, pid: number): Promise<void> {
  if (server.program.type === "docker") await run("docker", ["kill", containerOf(server)]).catch(() => {});
  else await endProcess(pid, "SIGKILL");
}

/** Ends a server and removes its folder. */
export async function removeServer(server: MongodbFolder, pid: number): Promise<void> {
  await killServer(server, pid);
  removeFolder(server.folder);
}

/** Lets a server end with the process that needs it. */
export function leaveWatchdog(server: MongodbFolder): void {
  const owner = Number(process.env[RUN_OWNER] ?? process.pid);
  endWithOwner(server.folder, owner, join(server.folder, "owner.pid"), "KILL");
}

/** The arguments that make a server a member of a replica set. */
function replicaSetOf({ type }: MongodbProgram): string[] {
  if (type !== "partial") return ["--replSet", "perdure"];
  return ["--topology-profile=singleNodeReplicaSet", "--replica-set-name=perdure"];
}

function containerOf({ port }: MongodbFolder): string {
  return `perdure-mongodb-${port}`;
}

/** Waits until the server takes writes, and makes it a replica set if it is to be one; false if it has died. */
async function ready(server: MongodbFolder, lives: () => boolean): Promise<boolean> {
  const url = new URL(server.url);
  url.searchParams.set("serverSelectionTimeoutMS", "1000");
  while (lives()) {
    const client = new MongoClient(url.href);
    try {
      const admin = client.db("admin");
      const { isWritablePrimary, info } = await admin.command({ hello: 1 });
      if (isWritablePrimary === true) return true;
      if (server.replicaSet && String(info).includes("replSetInitiate")) {
        const members = [{ _id: 0, host: `127.0.0.1:${server.port}` }];
        await admin.command({ replSetInitiate: { _id: "perdure", members } });
      }
    } catch {
      // Not there yet.
    } finally {
      await client.close();
    }
    await delay(30);
  }
  return false;
}
