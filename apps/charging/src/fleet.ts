// The processes that are killed, workers and API servers: started, killed, started again. One that ends by itself is a
// fault of the demo's, and is reported as one, with what it last wrote.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface FleetOptions {
  /** What one of them is called, such as "worker". */
  name: string;
  /** The file that each of them executes. */
  script: URL;
  size: number;
  /** Where the output of each goes, one file per process. */
  logDir: string;
  /** The flags of one of them. */
  args: (index: number) => readonly string[];
  /** What is special to one of them: the addresses it calls. */
  env: (index: number) => Record<string, string>;
  /** Called with every child that was started; it resolves when the child takes work. */
  ready: (child: ChildProcess, index: number) => Promise<unknown>;
  /** One of them ended that nobody had killed. */
  onFailure: (error: Error) => void;
}

/** How long a process may take to close before it is killed, in milliseconds. */
const closeLimitMs = 5_000;

export class Fleet {
  readonly #options: FleetOptions;
  readonly #children = new Map<number, ChildProcess>();
  #closed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** The process id of one, while it lives. */
  pid(index: number): number | undefined {
    return this.#children.get(index)?.pid;
  }

  /** Starts all of them and waits until each takes work. */
  async startAll(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.size }, (_, index) => this.start(index)));
  }

  /** Starts one and waits until it takes work, or is gone again. Does nothing once the fleet is stopped. */
  async start(index: number): Promise<void> {
    if (this.#closed) return;
    const { name, script, args, env, ready, onFailure } = this.#options;
    const log = openSync(this.#log(index), "a");
    const child = spawn(
      process.execPath,
      ["--import", "perdure/register", fileURLToPath(script), ...args(index)],
      {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        env: { ...process.env, ...env(index) },
        stdio: ["ignore", log, log, "ipc"],
      },
    );
    closeSync(log);
    this.#children.set(index, child);
    const exited = once(child, "exit");
    child.once("exit", (code, signal) => {
      if (this.#children.get(index) !== child) return;
      this.#children.delete(index);
      const lines = readFileSync(this.#log(index), "utf8").trimEnd().split("\n").slice(-8);
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      onFailure(new Error([`A process ended by itself, ${how}: ${name} ${index}.`, ...lines].join("\n  ")));
    });
    await Promise.race([ready(child, index), exited]);
  }

  /** SIGKILL, as the machine's memory manager or a power cut would: nothing of it runs any more. False when it is not there. */
  async kill(index: number): Promise<boolean> {
    const child = this.#take(index);
    if (!child) return false;
    child.kill("SIGKILL");
    await gone(child);
    return true;
  }

  /** Asks all of them to close, and kills those that take too long. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#children.keys()].map(async (index) => {
        const child = this.#take(index);
        if (!child) return;
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), closeLimitMs);
        await gone(child);
        clearTimeout(timer);
      }),
    );
  }

  /** Kills all of them at once. */
  async killAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#children.keys()].map((index) => this.kill(index)));
  }

  /** Takes one out of the fleet, so that its end is no failure. */
  #take(index: number): ChildProcess | undefined {
    const child = this.#children.get(index);
    this.#children.delete(index);
    return child;
  }

  #log(index: number): string {
    return join(this.#options.logDir, `${this.#options.name.replaceAll(" ", "-")}-${index}.log`);
  }
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
