import type { World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { event, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { connectTo, keysWith, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

const THREE_HOURS = 3 * 3_600_000;

/** How many keys a store has, and how many bytes they take. */
async function sizeOf(client: Redis, namespace: string): Promise<{ keys: number; bytes: number }> {
  const keys = await keysWith(namespace, client);
  const bytes = await Promise.all(keys.map((key) => client.memory("USAGE", key, "SAMPLES", 0)));
  return { keys: keys.length, bytes: bytes.reduce<number>((sum, one) => sum + (one ?? 0), 0) };
}

/** One generation every three hours, each with a name of its own over which a message comes. */
async function live(world: World, runId: string, first: number, last: number): Promise<void> {
  for (let generation = first; generation <= last; generation++) {
    const now = NOW + generation * THREE_HOURS;
    const seq = 1 + (generation - 1) * 3;
    const message = { type: "sent", at: now, data: null } as const;
    const delivered = await world.deliver(
      [
        { ...message, messageId: `a${generation}`, to: { runId } },
        { ...message, messageId: `b${generation}`, to: { name: `name-${generation - 1}` } },
      ],
      now,
    );
    expect(delivered.map(({ outcome }) => outcome)).toEqual(["delivered", "delivered"]);
    const events = [event("run_created"), releasing("hook"), taking("hook", `name-${generation}`)];
    const commit = { ...hold(runId, seq, events), restart: true, mailDone: 2 * generation };
    expect(await world.commit([commit], now)).toMatchObject([{ outcome: "committed", conflicts: [] }]);
  }
}

it("four hundred generations with names leave no more keys and bytes than a few", {
  timeout: 60_000,
}, async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace, partitions: 3 });
  const client = connectTo(url);
  const [claim] = [taking("hook", "name-0").claim];
  if (claim === undefined) throw new Error("no claim");
  const { refusedAs: _, ...name } = claim;
  await world.createRuns([newRun("run-1", { lease: LEASE, names: [{ ...name, from: null }] })], NOW);
  await live(world, "run-1", 1, 100);
  const early = await sizeOf(client, namespace);
  await live(world, "run-1", 101, 400);
  const late = await sizeOf(client, namespace);
  // Of each generation of the last seven days there is the address of one message; numbers grow by a digit.
  expect(late.keys).toBeLessThanOrEqual(early.keys);
  expect(late.bytes).toBeLessThan(early.bytes * 1.05);
  const [row] = await world.getRuns(["run-1"]);
  expect(row).toMatchObject({ generation: 400, firstSeq: 1_199, seq: 1_201, mailSeq: 800 });
});
