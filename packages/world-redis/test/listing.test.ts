import { sharedRedis } from "@perdure/testbed/redis";
import { claiming, NOW, newRun } from "@perdure/testbed/requests";
import { expect, it } from "vitest";
import { newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

/** A World of so many partitions, and the operations that it has made since the last look. */
async function watched(partitions: number) {
  const operations: string[] = [];
  const world = await openWorld({
    url,
    namespace: newNamespace(),
    partitions,
    beforeOperation: (operation) => {
      operations.push(operation);
    },
  });
  return { world, operations: () => operations.splice(0) };
}

it("a listing looks at the runs of its narrowest field only", async () => {
  const { world, operations } = await watched(1);
  const runs = Array.from({ length: 3_000 }, (_, index) =>
    newRun(`run-${index}`, {
      workflow: index % 600 === 0 ? "rare" : "usual",
      attributes: index % 1_000 === 0 ? { plan: "odd" } : {},
    }),
  );
  await world.createRuns(runs, NOW);
  operations();
  // A script looks at a thousand runs: a walk along all of them would take three.
  for (const [filter, count] of [
    [{ workflow: "rare" }, 5],
    [{ workflow: "rare", statuses: ["pending"] }, 5],
    [{ workflow: "usual", queue: "usual", attributes: { plan: "odd" } }, 2],
  ] as const) {
    expect((await world.listRuns({ ...filter, limit: 10 })).runs).toHaveLength(count);
    expect(operations().filter((operation) => operation === "list runs")).toHaveLength(1);
    expect(await world.countRuns(filter)).toBe(count);
    operations();
  }
  expect(await world.countRuns({ workflow: "usual" })).toBe(2_995);
  expect(operations()).toEqual(["list runs"]);
});

it("a claim asks each partition once, however many queues it names", async () => {
  const { world, operations } = await watched(4);
  const queues = Array.from({ length: 60 }, (_, index) => `queue-${index}`);
  await world.createRuns(
    queues.flatMap((queue) => [1, 2, 3].map((index) => newRun(`${queue} ${index}`, { queue }))),
    NOW,
  );
  operations();
  const { runs } = await world.claim(claiming({ queues, limit: 5 }));
  expect(runs.map(({ run }) => run.queue).sort()).toEqual([
    ...Array(3).fill("queue-0"),
    "queue-1",
    "queue-1",
  ]);
  const asked = operations();
  expect(asked.filter((operation) => operation === "peek")).toHaveLength(4);
  expect(asked.filter((operation) => operation === "claim").length).toBeLessThanOrEqual(4);
});
