/** Runs the real engine on a fresh store, for the length of one measurement. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import { start } from "perdure/api";
import { configure, createWorker, type Worker } from "perdure/runtime";
import type { BenchWorld } from "./bench-world.ts";
import { type Call, observe } from "./observed-world.ts";
import { sequence } from "./programs.ts";

/** What a measurement works with. `start` of `perdure/api` goes to this World while it lasts. */
export interface Engine {
  readonly world: World;
  /** Already working, with default options. */
  readonly worker: Worker;
  readonly folder: string;
  /** Listens to every answered call to the store, until the returned function is called. */
  onCall(listener: (call: Call) => void): () => void;
}

/** Gives `work` an empty folder on this package's own disk (a system's temporary folder may be memory) and removes it. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const parent = join(import.meta.dirname, "../.perdure");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "bench-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opens an engine on `folder`, warms it up with some runs, and closes it after `work`. */
export async function withEngine<T>(
  kind: BenchWorld,
  folder: string,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const listeners = new Set<(call: Call) => void>();
  const world = observe(kind.create(folder), (call) => {
    for (const listener of listeners) {
      listener(call);
    }
  });
  configure({ world, worker: false });
  const worker = createWorker({ world });
  await worker.start();
  try {
    await runMany(20, 10, "warm-up");
    return await work({
      world,
      worker,
      folder,
      onCall(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    });
  } finally {
    await worker.close();
    await world.close();
  }
}

/** Starts `runs` runs of `steps` steps at once and waits for all results. */
export async function runMany(runs: number, steps: number, label: string): Promise<void> {
  const one = async (): Promise<number> => (await start(sequence, [label, steps])).returnValue;
  await Promise.all(Array.from({ length: runs }, one));
}
