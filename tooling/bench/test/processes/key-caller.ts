import { once } from "perdure";
import { start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { asks, charge, declined, holds, noteEffectsIn, order } from "./key-flows.ts";
import { worldOf } from "./world-of.ts";

// One of several processes that want the same keys at once: World, where it is, namespace, folder of the effects, its number, callers.

const [name = "", where = "", namespace = "", folder = "", number, callers] = process.argv.slice(2);
const world = await worldOf(name, where, namespace);
configure({ world, worker: false });
noteEffectsIn(folder);
const worker = createWorker({ world, pollInterval: 200, logger: "silent" });
await worker.start();
console.log("ready");
await new Promise<void>((resolve) => process.stdin.once("data", () => resolve()));

const all = Array.from({ length: Number(callers) }, (_, n) => n);
const untilDone = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Error) || !/declined|lost/.test(error.message)) throw error;
    }
  }
};
const results = await Promise.all(
  all.flatMap((n) => [
    n % 2 === 0 ? once("invoice", charge, "cus_1") : start(asks, []).then((run) => run.returnValue),
    untilDone(() => once("doubtful", declined)),
    untilDone(async () => {
      const run = await start(order, [], { idempotencyKey: "order", failedRuns: "retry" });
      return await run.returnValue;
    }),
  ]),
);
// Of these each cancels the one before it, so few of them are enough.
const replacing = all
  .slice(0, 3)
  .map((n) => start(holds, [Number(number) * 100 + n], { idempotencyKey: "holds", onConflict: "replace" }));
await Promise.all(replacing);
console.log(JSON.stringify([...new Set(results)].sort()));
await new Promise<void>((resolve) => process.stdin.once("data", () => resolve()));
await worker.close();
await world.close();
process.exit(0);
