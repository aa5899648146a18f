import { defineHook, type StandardSchema, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { HookPayloadError } from "@perdure/core/errors";
import { configure, createWorker } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { expect, expectTypeOf, it, onTestFinished } from "vitest";

// Hooks with a schema.

/** Takes `{ amount: "12" }` and gives `{ amount: 12 }`. */
const schema: StandardSchema<{ amount: string }, { amount: number }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    async validate(value) {
      const amount = Number((value as { amount?: unknown }).amount);
      if (!Number.isNaN(amount)) return { value: { amount } };
      return {
        issues: [
          { message: "must be a number", path: ["amount", 0, { key: "of" }] },
          { message: "is no payment" },
        ],
      };
    },
  },
};

it("sends what the schema makes of a payload, and nothing that it does not take", async () => {
  const world = memoryWorld();
  configure({ world, worker: false });
  const worker = createWorker({ world, logger: "silent" });
  await worker.start();
  onTestFinished(() => worker.close());
  const payment = defineHook({ schema });
  const flow = workflow("defined hook", async () => {
    const hook = payment.create({ token: "payment", metadata: "m" });
    expectTypeOf(hook).resolves.toEqualTypeOf<{ amount: number }>();
    return await hook;
  });
  const run = await start(flow, []);
  await expect.poll(async () => (await world.getNames(["hook:payment"], Date.now()))[0]).not.toBeNull();
  const refused = payment.resume("payment", { amount: "a lot" });
  await expect(refused).rejects.toSatisfy(HookPayloadError.is);
  await expect(refused).rejects.toThrow(
    /was not sent:\n {2}- amount\[0\]\.of: must be a number\n {2}- payload: is no payment\n\(perdure\/docs\/errors\/HOOK_PAYLOAD_INVALID\.md\)$/,
  );
  expect(await payment.resume("payment", { amount: "12" })).toMatchObject({ runId: run.runId });
  expect(await run.returnValue).toEqual({ amount: 12 });
});

it("is refused what is no schema", () => {
  expect(() => defineHook({ schema: {} as never })).toThrow(/must be a Standard Schema/);
});
