import type { Hint } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, it, onTestFinished, vi } from "vitest";
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

it("are missed, and end nothing, while the user may not listen any more", async () => {
  const namespace = newNamespace();
  const [admin, user] = [connectTo(url), `listener-${namespace}`];
  onTestFinished(() => admin.call("ACL", "DELUSER", user).then(() => {}));
  const acl = (...rules: string[]) => admin.call("ACL", "SETUSER", user, ...rules);
  await acl("on", ">word", "~*", "&*", "+@all");
  const as = new URL(url);
  [as.username, as.password] = [user, "word"];
  const world = await openWorld({ url: as.href, namespace, callTimeout: 500 });
  const heard: Hint[] = [];
  world.subscribe((hint) => heard.push(hint));
  const channel = `perdure:${namespace}:hints`;
  const listening = async () => Number(((await admin.pubsub("NUMSUB", channel)) as unknown[])[1]);
  await vi.waitUntil(async () => (await listening()) === 1, 10_000);
  // The server ends the connections that listen to what they may not.
  await acl("resetchannels");
  const tries = async () => JSON.stringify(await admin.call("ACL", "LOG")).includes(user);
  await vi.waitUntil(tries, 10_000);
  expect(await listening()).toBe(0);
  await acl("&*");
  await vi.waitUntil(async () => (await listening()) === 1, 10_000);
  await world.createRuns([newRun("run-1")], NOW);
  await vi.waitUntil(() => heard.some(({ type }) => type === "due"), 10_000);
});
