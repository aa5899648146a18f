import { randomUUID } from "node:crypto";
import type { CreateRun, NewEvent, RunCommit, World } from "@perdure/core/world";
import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { type RedisWorldOptions, redisWorld } from "../src/index.ts";

/** Stores and requests for the tests of this package. */

export const NOW = 1_700_000_000_000;
export const WORKFLOW = "workflow//./test//main";

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
export function connectTo(url: string): Redis {
  const client = new Redis(url);
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

export function event(
  type: NewEvent["type"],
  id: string | null = null,
  name: string | null = null,
): NewEvent {
  return { type, at: NOW, id, name, data: new TextEncoder().encode(`"${type}"`) };
}

export function newRun(runId: string, change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId,
    workflow: WORKFLOW,
    event: event("run_created"),
    dueAt: NOW,
    startKey: null,
    lease: null,
    ...change,
  };
}

export function hold(runId: string, seq: number, events: readonly NewEvent[]): RunCommit {
  return { runId, epoch: 1, seq, events, mailDone: 0, run: {}, lease: { type: "hold", ttl: 30_000 } };
}

export function finish(runId: string, seq: number, completedAt: number): RunCommit {
  return {
    ...hold(runId, seq, [event("run_completed")]),
    run: { status: "completed", completedAt },
    lease: { type: "finish" },
  };
}
