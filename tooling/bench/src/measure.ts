/** All figures of one World, one after the other, each on a store of its own. */

import type { BenchWorld } from "./bench-world.ts";
import { withFolder } from "./engine.ts";
import { type FanOutFigures, measureFanOut } from "./fan-out.ts";
import { type LatencyFigures, measureLatency } from "./latency.ts";
import { type LockFigures, measureLock } from "./lock.ts";
import { type LongFigures, measureLong } from "./long.ts";
import { measurePerStep, type PerStepFigures } from "./per-step.ts";
import { measureRaw, type RawFigures } from "./raw.ts";
import { measureReplay, type ReplayFigures } from "./replay.ts";
import type { Sizes } from "./sizes.ts";
import { measureThroughput, type ThroughputFigures } from "./throughput.ts";

/** What the benchmark prints. */
export interface Result {
  readonly world: string;
  readonly node: string;
  /** The store's settings, as the World describes them; its path is this benchmark's own folder and says nothing. */
  readonly store: Readonly<Record<string, string | number>>;
  readonly throughput: ThroughputFigures;
  readonly latency: LatencyFigures;
  readonly long: LongFigures;
  readonly fanOut: FanOutFigures;
  readonly replay: ReplayFigures;
  readonly raw: RawFigures;
  readonly perStep: PerStepFigures;
  readonly lock: LockFigures;
}

export async function measure(kind: BenchWorld, sizes: Sizes, say: (line: string) => void): Promise<Result> {
  const end = await kind.prepare?.();
  try {
    return await measureAll(kind, kind.sizes?.(sizes) ?? sizes, say);
  } finally {
    await end?.();
  }
}

async function measureAll(kind: BenchWorld, sizes: Sizes, say: (line: string) => void): Promise<Result> {
  const taken = async <T>(name: string, what: string, figure: () => Promise<T>): Promise<T> => {
    say(`${name}: ${what}`);
    const result = await figure();
    say(`  ${JSON.stringify(result)}`);
    return result;
  };
  const store = await describe(kind);
  say(`${kind.name} on Node ${process.version}: ${JSON.stringify(store)}`);
  const raw = await taken("raw", "the bare driver", () => measureRaw(kind, sizes.raw));
  const { runs, steps } = sizes.throughput;
  const throughput = await taken("throughput", `${runs} runs of ${steps} steps`, () =>
    measureThroughput(kind, sizes.throughput),
  );
  const latency = await taken("latency", `between ${sizes.latency.steps} steps of one run`, () =>
    measureLatency(kind, sizes.latency.steps),
  );
  const long = await taken("long", `${sizes.long.steps} steps in one run`, () =>
    measureLong(kind, sizes.long.steps),
  );
  const fanOut = await taken("fanOut", `${sizes.fanOut.steps} steps at once`, () =>
    measureFanOut(kind, sizes.fanOut.steps),
  );
  const replay = await taken("replay", `a journal of ${sizes.replay.steps} steps, by a new worker`, () =>
    measureReplay(kind, sizes.replay.steps),
  );
  const perStep = await taken("perStep", "what a step costs the store", () =>
    measurePerStep(kind, sizes.perStep.steps),
  );
  const lock = await taken("lock", `${sizes.lock.waiting} runs that wait for one`, () =>
    measureLock(kind, sizes.lock, raw.commitP50Ms),
  );
  const { name: world } = kind;
  return {
    world,
    node: process.version,
    store,
    throughput,
    latency,
    long,
    fanOut,
    replay,
    raw,
    perStep,
    lock,
  };
}

function describe(kind: BenchWorld): Promise<Readonly<Record<string, string | number>>> {
  return withFolder(async (folder) => {
    const world = kind.create(folder);
    await world.open();
    const { path, ...settings } = world.describe();
    await world.close();
    return { ...settings, ...kind.about?.() };
  });
}
