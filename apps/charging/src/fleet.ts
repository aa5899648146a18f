// The worker processes: started, killed, started again. A worker that ends by itself is a fault of the demo's, and is
// reported as one, with what it last wrote.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface FleetOptions {
  workers: number;
  /** Where each worker's output goes, one file per worker. */
  logDir: string;
  /** The worker's flags. */
  args: readonly string[];
  /** What is special to one worker: the addresses it calls. */
  env: (worker: number) => Record<string, string>;
  /** A worker ended that nobody had killed. */
  onFailure: (error: Error) => void;
}

/** What a worker tells the fleet. */
export interface FromWorker {
  type: "ready";
}

/** How long a worker may take to close before it is killed, in milliseconds. */
const closeLimitMs = 5_000;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #children = new Map<number, ChildProcess>();
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** The process id of a worker, while it lives. */
  pid(worker: number): number | undefined {
    return this.#children.get(worker)?.pid;
  }

  /** Starts every worker and waits until each takes work. */
  async startAll(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.workers }, (_, worker) => this.start(worker)));
  }

  /** Starts one worker and waits until it takes work, or is gone again. Does nothing once the fleet is stopped. */
  async start(worker: number): Promise<void> {
    if (this.#closed) return;
    const log = openSync(this.#log(worker), "a");
    const child = spawn(
      process.execPath,
      [
        "--import",
        "perdure/register",
        fileURLToPath(new URL("./worker.ts", import.meta.url)),
        ...this.#options.args,
      ],
      {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        env: { ...process.env, ...this.#options.env(worker) },
        stdio: ["ignore", log, log, "ipc"],
      },
    );
    closeSync(log);
    this.#children.set(worker, child);
    child.once("exit", (code, signal) => {
      if (this.#children.get(worker) !== child) return;
      this.#children.delete(worker);
      const lines = readFileSync(this.#log(worker), "utf8").trimEnd().split("\n").slice(-8);
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.#options.onFailure(
        new Error([`Worker ${worker} ended by itself, ${how}.`, ...lines].join("\n  ")),
      );
    });
    await Promise.race([once(child, "message"), once(child, "exit")]);
  }

  /** SIGKILL, as the machine's memory manager or a power cut would: nothing of the worker runs any more. False when it is not there. */
  async kill(worker: number): Promise<boolean> {
    const child = this.#take(worker);
    if (!child) return false;
    child.kill("SIGKILL");
    await gone(child);
    return true;
  }

  /** Asks every worker to close, and kills those that take too long. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#children.keys()].map(async (worker) => {
        const child = this.#take(worker);
        if (!child) return;
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), closeLimitMs);
        await gone(child);
        clearTimeout(timer);
      }),
    );
  }

  /** Kills every worker at once. */
  async killAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#children.keys()].map((worker) => this.kill(worker)));
  }

  /** Takes the worker out of the fleet, so that its end is no failure. */
  #take(worker: number): ChildProcess | undefined {
    const child = this.#children.get(worker);
    this.#children.delete(worker);
    return child;
  }

  #log(worker: number): string {
    return join(this.#options.logDir, `worker-${worker}.log`);
  }
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
