import type { Hint } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, it, vi } from "vitest";
import { connectTo, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

it("are heard, however a client of the user's treats what it cannot send at once", async () => {
  const client = connectTo(url, { enableOfflineQueue: false });
  await vi.waitUntil(() => client.status === "ready", 10_000);
  const namespace = newNamespace();
  const hearing = await openWorld({ client, namespace });
  const heard: Hint[] = [];
  hearing.subscribe((hint) => heard.push(hint));
  const telling = await openWorld({ url, namespace });
  const channel = `perdure:${namespace}:hints`;
  await vi.waitUntil(
    async () => Number(((await client.pubsub("NUMSUB", channel)) as unknown[])[1]) === 1,
    10_000,
  );
  await telling.createRuns([newRun("run-1")], NOW);
  await vi.waitUntil(() => heard.length > 0, 10_000);
  expect(heard).toEqual([{ type: "due" }]);
});

it("whatever anybody publishes, from any database, ends nothing", async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace });
  const heard: Hint[] = [];
  world.subscribe((hint) => heard.push(hint));
  const channel = `perdure:${namespace}:hints`;
  const stranger = connectTo(`${url}/7`);
  await vi.waitUntil(
    async () => Number(((await stranger.pubsub("NUMSUB", channel)) as unknown[])[1]) === 1,
    10_000,
  );
  const junk = [
    "x",
    "",
    "null",
    "[]",
    "[null]",
    "{}",
    '"due"',
    "1",
    '{"type":"mail"}',
    '{"type":"mail","runId":7}',
  ];
  const deep = "[".repeat(100_000);
  for (const text of [...junk, deep, '{"type":"no such"}', "\n\n", Buffer.from([0xff, 0, 0x80])]) {
    await stranger.publish(channel, text);
  }
  await stranger.publish(channel, 'x\n{"type":"finished","runId":"run-1","more":{}}\nnull');
  await world.createRuns([newRun("run-1")], NOW);
  await vi.waitUntil(() => heard.some(({ type }) => type === "due"), 10_000);
  expect(heard).toEqual([{ type: "finished", runId: "run-1" }, { type: "due" }]);
});
