/** Work for an engine on a World that is being ill-treated, and the question whether it was done once. */
import { getStepMetadata, step, workflow } from "@perdure/core";
import { Client, EngineWorker } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { expect, onTestFinished } from "vitest";

/** How often the body of each step was begun, by step id. */
const bodies = new Map<string, number>();
let onBody: (done: number) => void = () => {};

const charge = step("test/charge", async (index: number) => {
  const { stepId } = getStepMetadata();
  bodies.set(stepId, (bodies.get(stepId) ?? 0) + 1);
  onBody(bodies.size);
  return index;
});

const chargeMany = workflow("test/charge-many", async (steps: number) => {
  let sum = 0;
  for (let index = 0; index < steps; index++) sum += await charge(index);
  return sum;
});

/**
 * Executes runs in this process while `trouble` goes on, and requires that each body was begun once, that every result
 * is right, and that the store keeps its invariants.
 *
 * @param trouble is told how many bodies were begun
 */
export async function chargeOnce(
  world: World,
  size: { readonly runs: number; readonly steps: number },
  trouble: (done: number) => void = () => {},
): Promise<void> {
  bodies.clear();
  onBody = trouble;
  const worker = new EngineWorker({ world, keepAlive: false, pollInterval: 200 });
  onTestFinished(() => worker.close());
  await worker.start();
  const client = new Client({ world });
  client.workers.add(worker);
  const started = Array.from({ length: size.runs }, () => client.start<number>(chargeMany, [size.steps]));
  const results = await Promise.all(started.map(async (run) => (await run).returnValue));
  await worker.close();

  const sum = (size.steps * (size.steps - 1)) / 2;
  expect(results).toEqual(results.map(() => sum));
  expect(bodies.size).toBe(size.runs * size.steps);
  expect([...bodies.values()].filter((times) => times !== 1)).toEqual([]);
  await checkInvariants(world);
}
