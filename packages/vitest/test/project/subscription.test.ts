import { runStep, simulate, waitForHook, waitForSleep, waitForStep } from "@perdure/vitest";
import { test, testWith } from "@perdure/vitest/test";
import { resumeHook, start } from "perdure/api";
import { expect, vi } from "vitest";
import { createCharge } from "./payments.ts";
import { charge, subscription } from "./subscription.ts";

vi.mock("./payments.ts");

test("charges every thirty days", async ({ t }) => {
  vi.mocked(createCharge).mockImplementation(async (customer) => ({ id: `charge of ${customer}` }));
  const began = t.clock.now();
  const run = await start(subscription, ["cus_1", 3]);
  expect(await t.result(run)).toEqual(Array(3).fill("charge of cus_1"));
  expect(t.clock.now() - began).toBe(90 * 86_400_000);
  const keys = vi.mocked(createCharge).mock.calls.map(([, , key]) => key);
  expect(new Set(keys).size).toBe(3);
});

test("ends when it is cancelled", async ({ t }) => {
  t.stub(charge, async () => "stubbed");
  const run = await start(subscription, ["cus_1", 3]);
  await waitForStep(run, { step: charge, state: "completed" });
  await waitForSleep(run);
  expect(await t.skip()).toBe(true);
  const { token } = await waitForHook(run);
  await resumeHook(token, true);
  expect(await t.result(run)).toEqual(["stubbed", "stubbed"]);
});

test("charges with one key, however often its process ends", async ({ t }) => {
  const keys: string[] = [];
  vi.mocked(createCharge).mockImplementation(async (_customer, _cents, key) => {
    keys.push(key);
    if (keys.length < 3) await t.kill();
    return { id: "ch_1" };
  });
  expect(await t.result(await start(subscription, ["cus_2", 1]))).toEqual(["ch_1"]);
  expect(keys).toEqual(Array(3).fill(keys[0]));
});

testWith({ alwaysReplay: true })("does the same in every replay", async ({ t }) => {
  t.stub(charge, async () => "stubbed");
  expect(await t.result(await start(subscription, ["cus_3", 2]))).toEqual(["stubbed", "stubbed"]);
});

test("a step alone", async () => {
  vi.mocked(createCharge).mockImplementation(async (_customer, _cents, key) => ({ id: key }));
  expect(await runStep(charge, ["cus_1", 900], { stepId: "step_1", attempt: 2 })).toBe("step_1");
});

test("in clusters whose workers are killed", async () => {
  await simulate({
    workflows: [{ workflow: subscription, args: (random) => [`cus_${random.next()}`, 2] }],
    seeds: 10,
    setUp: ({ stub, pause }) => {
      const charges = new Map<string, number>();
      stub(charge, async (customer) => {
        await pause(50);
        charges.set(customer, (charges.get(customer) ?? 0) + 1);
        return "charged";
      });
      return charges;
    },
    laws: {
      "two charges at least": ({ state }) => [...state.values()].every((count) => count >= 2),
    },
  });
});
