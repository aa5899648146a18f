// The demo's side of a server process: starts it, hears of its moments, ends it.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ServerName, Watch } from "./moments.ts";
import { hear } from "./watch-over-ipc.ts";

export interface ServerProcessOptions {
  name: Exclude<ServerName, "api">;
  /** Path of the server's ledger. */
  ledger: string;
  seed: number;
  faults: boolean;
  /** How many addresses the server listens at, one for each worker. */
  doors: number;
  watch: Watch;
}

export interface ServerProcess {
  urls: string[];
  stop(): Promise<void>;
}

/** Starts a server and waits until it listens. Throws when it ends before that. */
export async function startServer(options: ServerProcessOptions): Promise<ServerProcess> {
  const child = fork(
    fileURLToPath(new URL("./serve.ts", import.meta.url)),
    [
      options.name,
      "--ledger",
      options.ledger,
      "--seed",
      String(options.seed),
      "--doors",
      String(options.doors),
      "--faults",
      options.faults ? "on" : "off",
    ],
    { execArgv: [] },
  );
  const exited = once(child, "exit");
  const urls = await new Promise<string[]>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`The ${options.name} server ended before it could listen.`)));
    hear(child, options.watch).then(resolve, reject);
  });
  return {
    urls,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
