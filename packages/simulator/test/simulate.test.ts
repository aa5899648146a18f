import {
  createHook,
  FatalError,
  getStepMetadata,
  getWorkflowMetadata,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { start } from "@perdure/core/api";
import { SimulationError, simulate } from "@perdure/simulator";
import { expect, it } from "vitest";

// Workflows of users in simulated clusters.

const charge = step("sim//charge", async (_order: string): Promise<string> => {
  throw new Error("a call to the outside");
});
const mail = step("sim//mail", async (_order: string): Promise<void> => {
  throw new Error("a call to the outside");
});

const order = workflow("sim//order", async (id: string) => {
  const charged = await charge(id);
  await sleep("30 days");
  await mail(id);
  return charged;
});

/** A payment provider that honours idempotency keys, or does not. */
function provider(): { readonly charges: Map<string, number>; readonly calls: string[] } {
  return { charges: new Map(), calls: [] };
}

const ORDERS = { workflow: order, args: () => ["order"], runs: 3 };

it("finds nothing in a workflow that is right, and passes over a month in which nothing is due", async () => {
  const report = await simulate({
    workflows: [ORDERS],
    seeds: 15,
    setUp: ({ stub, pause }) => {
      const state = provider();
      stub(charge, async () => {
        const { stepId } = getStepMetadata();
        state.calls.push(stepId);
        await pause(50);
        state.charges.set(stepId, 4200);
        return stepId;
      });
      stub(mail, async () => {});
      return state;
    },
    laws: {
      "each order is charged once": ({ runs, state }) => state.charges.size === runs.length,
      "every order completes": ({ runs }) => {
        for (const { status, output, events } of runs) {
          expect(status).toBe("completed");
          expect(events.filter(({ type }) => type === "step_completed").length).toBe(2);
          expect(output).toMatch(/^step_/);
        }
      },
    },
  });
  expect(report).toMatchObject({ clusters: 15, runs: 45 });
  expect(report.elapsed).toBeGreaterThan(15 * 30 * 86_400_000);
});

it("finds a provider that is not asked with a key, by a seed that finds it again", async () => {
  const options = {
    workflows: [ORDERS],
    setUp: ({ stub, pause }: Parameters<NonNullable<Parameters<typeof simulate>[0]["setUp"]>>[0]) => {
      const calls: string[] = [];
      stub(charge, async () => {
        calls.push(getWorkflowMetadata().workflowRunId);
        await pause(50);
        return "charged";
      });
      stub(mail, async () => {});
      return calls;
    },
    laws: {
      "charged once": ({ state }: { state: string[] }) => new Set(state).size === state.length,
    },
  };
  const error = await simulate({ ...options, seeds: 100 }).catch((thrown: unknown) => thrown);
  if (!(error instanceof SimulationError)) throw error;
  expect(error.law).toBe("charged once");
  expect(error.message).toMatch(new RegExp(`Seed ${error.seed} breaks "charged once"`));
  const again = await simulate({ ...options, seeds: [error.seed] }).catch((thrown: unknown) => thrown);
  expect(again).toMatchObject({ law: "charged once", seed: error.seed, trace: error.trace });
  // Without faults a body runs once.
  await simulate({ ...options, seeds: [error.seed], faults: [] });
});

it("finds code that does something else in a replay", async () => {
  let calls = 0;
  const moody = workflow("sim//moody", async () => {
    if (calls++ % 2 === 0) await charge("a");
    else await mail("b");
  });
  const error = await simulate({
    workflows: [moody],
    seeds: 20,
    setUp: ({ stub }) => {
      stub(charge, () => "charged");
      stub(mail, () => {});
    },
  }).catch((thrown: unknown) => thrown);
  if (!(error instanceof SimulationError)) throw error;
  expect(["no divergence", "cold replay"]).toContain(error.law);
  expect(error.message).toMatch(/sim\/\/(charge|mail)/);
});

it("acts from outside: payloads for hooks, children, failures", async () => {
  const child = workflow("sim//child", async (n: number) => n * 2);
  const approval = workflow("sim//approval", async (n: number) => {
    const { workflowRunId } = getWorkflowMetadata();
    const hook = createHook<{ approved: boolean }>({ token: `approve ${workflowRunId}` });
    const { approved } = await hook;
    if (!approved) throw new FatalError("refused");
    return await (await start(child, [n])).returnValue;
  });
  const report = await simulate({
    workflows: [
      { workflow: approval, args: (random) => [random.int(1, 9)], runs: 4 },
      { workflow: child, args: () => [1], runs: 1 },
    ],
    seeds: 15,
    async act({ client, runIds, pause, random }) {
      const told = new Set<string>();
      while (told.size < 4) {
        await pause(200);
        for (const runId of runIds) {
          if (told.has(runId)) continue;
          const answer = { approved: random.chance(0.7) };
          const sent = await client.resumeHook(`approve ${runId}`, answer).catch(() => null);
          if (sent !== null) told.add(runId);
        }
      }
    },
    laws: {
      "an approval gives twice its number, or fails": ({ runs }) => {
        for (const { workflow: of, args, status, output, error } of runs) {
          if (of !== "sim//approval") continue;
          if (status === "completed") expect(output).toBe((args[0] as number) * 2);
          else expect([status, (error as Error).message]).toEqual(["failed", "refused"]);
        }
      },
    },
  });
  expect(report.clusters).toBe(15);
});

it("says what it cannot simulate, and names what is wrong outside of the cluster", async () => {
  const quick = workflow("sim//quick", async () => 1);
  const act = () => Promise.reject(new Error("no"));
  await expect(simulate({ workflows: [quick], seeds: [7], act })).rejects.toMatchObject({
    law: "act() ends",
    seed: 7,
  });
  const never = () => false;
  await expect(simulate({ workflows: [quick], seeds: 1, laws: [never] })).rejects.toMatchObject({
    law: "never",
  });
  await expect(simulate({ workflows: [] })).rejects.toThrow(/names no workflow/);
});
