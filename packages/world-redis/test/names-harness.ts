import type { CommitResult, FirstClaim, FirstMail, Message, World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect } from "vitest";
import { redisWorld } from "../src/index.ts";
import { connectTo, LEASE, newNamespace, openWorld } from "./store.ts";

/** Names over several partitions: Worlds that die or sleep before an operation. */

export const url: string = (await sharedRedis()).url;

export const PARTITIONS = 7;

export const over = (name: string, messageId: string): Message => ({
  ...{ messageId, to: { name }, type: "sent", at: NOW, data: null },
});
export const mailFor = (id: string, messageId: string): FirstMail => ({
  messageId,
  id,
  type: "sent",
  at: NOW,
  data: null,
});

/** Several Worlds on one new store of several partitions. */
export async function openMany(count: number): Promise<{ namespace: string; worlds: World[] }> {
  const namespace = newNamespace();
  const open = () => openWorld({ url, namespace, partitions: PARTITIONS });
  return { namespace, worlds: await Promise.all(Array.from({ length: count }, open)) };
}

/** Sends something from a World that dies before an operation: the first of this name, or the one with this number. */
export async function sendAndDie(
  point: string | number,
  namespace: string,
  act: (world: World) => Promise<unknown>,
): Promise<boolean> {
  const client = connectTo(url);
  let left = Number.POSITIVE_INFINITY;
  let died = false;
  const world = redisWorld({
    client,
    namespace,
    clock: "caller",
    beforeOperation(name) {
      if (left === Number.POSITIVE_INFINITY) return;
      if (name === point || left-- === 0) {
        died = true;
        throw new Error(`died before ${name}`);
      }
    },
  });
  await world.open();
  left = typeof point === "number" ? point : 1_000;
  await act(world).catch(() => {});
  client.disconnect();
  await world.close();
  return died;
}

export async function dyingBefore(
  operation: string,
  namespace: string,
  act: (world: World) => Promise<unknown>,
): Promise<void> {
  expect(await sendAndDie(operation, namespace, act)).toBe(true);
}

/** Sends something from a World that sleeps before its first operation of this name, until it is woken. */
export async function sleepingBefore<T>(
  operation: string,
  namespace: string,
  act: (world: World) => Promise<T>,
): Promise<{ wake(): Promise<T> }> {
  const [asleep, woken] = [signal(), signal()];
  const world = await openWorld({
    url,
    namespace,
    async beforeOperation(name) {
      if (name !== operation) return;
      asleep.give();
      await woken.given;
    },
  });
  const answer = act(world);
  await asleep.given;
  return {
    wake() {
      woken.give();
      return answer;
    },
  };
}

function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

export async function leased(world: World, runId: string, names: readonly FirstClaim[] = []): Promise<void> {
  expect(await world.createRuns([newRun(runId, { lease: LEASE, names })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
}

export const conflicts = (result: CommitResult | undefined): unknown =>
  result?.outcome === "committed" ? result.conflicts : result;

export async function holders(world: World, ...names: readonly string[]): Promise<(string | null)[]> {
  return (await world.getNames(names, NOW)).map((held) => held?.runId ?? null);
}
