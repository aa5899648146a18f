import type { RunFilter, World } from "@perdure/core/world";
import { CLAIM_ID, claiming, NOW, newRun } from "@perdure/testbed/requests";
import type { Document } from "mongodb";
import { expect, test } from "vitest";
import { collectionsOf, indexesOf } from "../src/schema.ts";
import { startProxy } from "./proxy.ts";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/** What the server is asked to find: in the order of an index, without what is not needed. */

/** A World, and what it asks the server to find of runs. */
async function watchedWorld(): Promise<{ world: World; finds: Document[] }> {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const finds: Document[] = [];
  proxy.inject((name, command) => {
    if (name === "find" && String(command.find).endsWith("_runs")) finds.push(command);
    return undefined;
  });
  return { world: await openWorld({ ...database, url: proxy.url }), finds };
}

test("a claim has no server sort what it finds; rows are read without journal and mailbox", async () => {
  const { world, finds } = await watchedWorld();
  await world.createRuns([newRun("run", { lease })], NOW);
  finds.length = 0;
  await world.createRuns(
    Array.from({ length: 60 }, (_, index) => newRun(`due-${index}`, { queue: index < 50 ? "one" : "two" })),
    NOW,
  );
  await world.claim(claiming({ queues: ["two", "none", "one"], limit: 5 }));
  // All queues together, then, as there is more than it takes, each; then the runs that it took.
  expect(finds.map(({ hint }) => hint)).toEqual(["due", "due", "due", "due", undefined]);
  const [all, ...each] = finds.slice(0, 4).map(({ filter, sort }) => [filter.queue, sort]);
  expect(all).toEqual([{ $in: ["two", "none", "one"] }, { dueAt: 1 }]);
  // They are sent at once, over several connections.
  expect(each).toEqual(
    expect.arrayContaining(["two", "none", "one"].map((queue) => [queue, { queue: 1, dueAt: 1 }])),
  );
  for (const { limit } of finds.slice(0, 4)) expect(limit).toBeLessThanOrEqual(6);
  finds.length = 0;
  await world.getRuns(["run"]);
  await world.renew({ leases: [{ runId: "run", epoch: 1, claimId: CLAIM_ID }], ttl: 1, now: NOW });
  expect(finds.map(({ projection }) => projection)).toEqual(
    [1, 2].map(() => ({ tail: 0, mail: 0, endMail: 0, names: 0 })),
  );
});

test("the order of each listing is that of the index of its field", async () => {
  const { world, finds } = await watchedWorld();
  const filters: readonly (readonly [RunFilter, string[]])[] = [
    [{}, []],
    [{ createdFrom: NOW, createdBefore: NOW + 1 }, []],
    [{ workflow: "w" }, ["workflow"]],
    [{ queue: "q" }, ["queue"]],
    [{ statuses: ["pending", "failed"] }, ["status"]],
    [{ attributes: { plan: "paid" } }, ["attributeKeys"]],
    [{ completedBefore: NOW }, []],
  ];
  const indexes = indexesOf(collectionsOf("")).find(([name]) => name === "perdure_runs")?.[1] ?? [];
  const keys = indexes.map(({ key }) => Object.keys(key).join());
  for (const [filter, fields] of filters) {
    finds.length = 0;
    await world.listRuns({ ...filter, limit: 5, cursor: `${NOW}:run` });
    const [{ filter: asked, sort, projection } = {}] = finds;
    const named = (asked.$and as Document[]).flatMap((condition) => Object.keys(condition));
    expect(named).toEqual(expect.arrayContaining(fields));
    expect(keys).toContain([...fields, ...Object.keys(sort)].join());
    expect(projection).toMatchObject({ tail: 0, output: 0, state: 0 });
  }
});
