import { createServer } from "node:http";
import { createWorker, shutdown, type Worker } from "@perdure/core/runtime";
import { healthHandler } from "@perdure/http";
import { nodeListener } from "@perdure/http/node";
import { loadCode } from "./code.ts";
import { CommandError } from "./errors.ts";
import { openPlace, type PlaceOptions, project } from "./place.ts";
import { untilSignal } from "./signals.ts";
import { print } from "./terminal.ts";

/** `perdure worker <files…>`: a process that executes the workflows of some modules until it is told to end. */

export interface WorkerCommandOptions extends PlaceOptions {
  readonly concurrency?: string;
  readonly healthPort?: string;
}

export async function worker(files: readonly string[], options: WorkerCommandOptions): Promise<void> {
  const concurrency = wholeNumber(options.concurrency, "--concurrency");
  const port = wholeNumber(options.healthPort, "--health-port");
  const world = await openPlace(options, "may be made");
  await loadCode(files, options);
  const { config } = await project(options);
  const made = createWorker({
    ...config.worker,
    ...(concurrency !== undefined && { concurrency }),
    world,
    signals: [],
  });
  await made.start();
  const stopHealth = port === undefined ? () => {} : await serveHealth(made, port);
  print(`${made.id} executes what is due in ${world.name}. End it with Ctrl-C or SIGTERM.`);
  await untilSignal();
  print("ending: what is under way is finished or handed over");
  await made.close();
  stopHealth();
  await shutdown();
  print("ended");
}

async function serveHealth(made: Worker, port: number): Promise<() => void> {
  const server = createServer(nodeListener(healthHandler(made)));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, resolve);
  });
  return () => void server.close();
}

function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new CommandError(`${option}: write a whole number from 1 on.`);
  return value;
}
