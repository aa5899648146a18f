import { randomUUID } from "node:crypto";
import type { CreateRun, World } from "@perdure/core/world";
import { CLAIM_ID } from "@perdure/testbed/requests";
import type { Stored } from "@perdure/world-testkit";
import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { type ConnectionSettings, type RedisWorldOptions, redisWorld } from "../src/index.ts";

/** Stores for the tests of this package. */

/** A first lease. */
export const LEASE: NonNullable<CreateRun["lease"]> = { owner: "worker", claimId: CLAIM_ID, ttl: 30_000 };

/** A namespace that no other test uses. */
export function newNamespace(): string {
  return randomUUID();
}

/** An open World that is closed after the test. */
export async function openWorld(options: RedisWorldOptions): Promise<World> {
  const world = redisWorld({ clock: "caller", ...options });
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

/** A client that is closed after the test. */
export function connectTo(url: string, options: ConnectionSettings = {}): Redis {
  const client = new Redis(url, options);
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** Every key that contains `text`, on every node that is given. */
export async function keysWith(text: string, ...nodes: readonly Redis[]): Promise<string[]> {
  const found: string[] = [];
  for (const node of nodes) {
    let cursor = "0";
    do {
      const [next, keys] = await node.scan(cursor, "MATCH", `*${text}*`, "COUNT", 1_000);
      found.push(...keys);
      cursor = next;
    } while (cursor !== "0");
  }
  return [...new Set(found)].sort();
}

/** How much of runs is on these nodes: events in journals, and messages as far as they are known. */
export async function storedOn(namespace: string, ...nodes: readonly Redis[]): Promise<Stored> {
  let [events, messages, records] = [0, 0, 0];
  for (const node of nodes) {
    for (const key of await keysWith(namespace, node)) {
      if (/\}:j:/.test(key)) events += await node.llen(key);
      if (/\}:i:/.test(key)) messages += await node.hlen(key);
      if (/\}:record:/.test(key)) records++;
    }
  }
  return { events, messages, records };
}
