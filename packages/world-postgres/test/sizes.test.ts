import { CLAIM_ID, claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { expect, test } from "vitest";
import { openWorld, serverUrl, temporarySchema } from "./store.ts";

const MIB = 1024 * 1024;
const lease = { owner: "w", claimId: CLAIM_ID, ttl: 1 };

function holding(data: Uint8Array) {
  return { ...event("step_completed", "s"), data };
}

test("the largest value can be written and read; a larger one is refused for good, and nothing of it is sent", async () => {
  const operations: string[] = [];
  const world = await openWorld({
    url: await serverUrl(),
    schema: temporarySchema(),
    callTimeout: 60_000,
    beforeOperation: (operation) => void operations.push(operation),
  });
  const { largestValue = 0 } = world.capabilities;
  await world.createRuns([newRun("wrun_1", { lease })], NOW);
  const largest = new Uint8Array(largestValue).fill(7);
  expect(await world.commit([hold("wrun_1", 1, [holding(largest)])], NOW)).toMatchObject([
    { outcome: "committed" },
  ]);
  const [read] = await world.listEvents("wrun_1", 1, 1);
  expect(Buffer.compare(read?.data ?? new Uint8Array(), largest)).toBe(0);

  const data = new Uint8Array(largestValue + 1);
  const before = operations.length;
  const tooLarge = { message: /does not take a value of \d+ bytes: at most/, retryable: false };
  await refuses(world.commit([hold("wrun_1", 2, [holding(data)])], NOW), tooLarge);
  await refuses(world.createRuns([newRun("wrun_2", { events: [holding(data)] })], NOW), tooLarge);
  const message = { messageId: "m", to: { runId: "wrun_1" }, type: "wake", at: NOW, data } as const;
  await refuses(world.deliver([message], NOW), tooLarge);
  const many = Array.from({ length: 13 }, () => holding(largest));
  await refuses(world.commit([hold("wrun_1", 2, many)], NOW), {
    message: /does not take a commit of \d+ bytes/,
    retryable: false,
  });
  expect(operations.length).toBe(before);
}, 120_000);

test("batches of starts and of messages go in several calls; a long journal comes in pages that arrive", async () => {
  const operations: string[] = [];
  const world = await openWorld({
    url: await serverUrl(),
    schema: temporarySchema(),
    callTimeout: 60_000,
    beforeOperation: (operation) => void operations.push(operation),
  });
  // Two of them are more than a call carries, and one is more than a page.
  const data = new Uint8Array(33 * MIB);
  const ids = ["wrun_1", "wrun_2"];
  const starts = ids.map((runId) => newRun(runId, { lease, events: [holding(data)] }));
  expect(await world.createRuns(starts, NOW)).toMatchObject(ids.map(() => ({ outcome: "created" })));
  const messages = ids.map((messageId) => ({
    ...{ messageId, to: { runId: messageId }, type: "wake", at: NOW, data },
  })) as Parameters<typeof world.deliver>[0];
  expect(await world.deliver(messages, NOW)).toMatchObject(
    ids.map((runId) => ({ outcome: "delivered", runId })),
  );
  const counted = (name: string) => operations.filter((operation) => operation === name).length;
  expect([counted("create runs"), counted("deliver")]).toEqual([2, 2]);

  await world.commit([hold("wrun_1", 1, [event("step_created", "s"), event("step_completed", "s")])], NOW);
  const { runs } = await world.claim(claiming({ now: NOW + 60_000 }));
  const claimed = runs.find(({ run }) => run.runId === "wrun_1");
  expect([claimed?.events.length, claimed?.damage]).toEqual([1, null]);
  const seqs: number[] = [];
  const pages: number[] = [];
  while (seqs.length < 3) {
    const page = await world.listEvents("wrun_1", seqs.length, 1_000);
    pages.push(page.length);
    seqs.push(...page.map(({ seq }) => seq));
  }
  expect([seqs, pages]).toEqual([
    [1, 2, 3],
    [1, 2],
  ]);
}, 120_000);
