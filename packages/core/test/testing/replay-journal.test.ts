import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { getWorkflowMetadata, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { ReplayDivergenceError, WorkflowNotRegisteredError } from "@perdure/core/errors";
import { deploy, replayJournal, testEnvironment, waitForSleep, waitForStep } from "@perdure/core/testing";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "perdure-journal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, "run.json");

/** Runs a version of the workflow up to its sleep, or its end, and saves its journal as the command line does. */
async function save(ends: boolean, more: object = {}): Promise<void> {
  await using t = await testEnvironment();
  const run = await start({ workflowId: "invoice" }, []);
  if (ends) await t.result(run);
  else await waitForSleep(run);
  const [row] = await t.world.getRuns([run.runId]);
  const events = await t.world.listEvents(run.runId, 0, 1000);
  const journal = events.map(({ at, data, ...event }) => ({
    ...event,
    at: new Date(at).toISOString(),
    data: data === null ? null : Buffer.from(data).toString("base64"),
  }));
  const of = { runId: run.runId, workflow: row?.workflow, generation: 0 };
  writeFileSync(file, JSON.stringify({ ...of, ...more, journal }));
}

function version(...steps: readonly string[]): void {
  deploy();
  workflow("invoice", async () => {
    for (const name of steps) await step(name, async () => name)();
    await sleep("1 day");
    return steps.length;
  });
}

it("replays a saved journal against the code of today", async () => {
  version("look up", "charge");
  await save(true);
  expect(await replayJournal(file)).toEqual({
    outcome: "returned",
    value: 2,
    error: undefined,
    unmatched: [],
  });
  await save(false);
  expect(await replayJournal(pathToFileURL(file))).toMatchObject({ outcome: "open", value: undefined });
  version("look up", "charge twice");
  await expect(replayJournal(file)).rejects.toSatisfy(ReplayDivergenceError.is);
});

it("tells the code of the encryption that the journal had where it was stored", async () => {
  deploy();
  workflow("invoice", async () => getWorkflowMetadata().features.encryption);
  await save(true);
  expect(await replayJournal(file)).toMatchObject({ value: false });
  await save(true, { encrypted: true });
  expect(await replayJournal(file)).toMatchObject({ value: true });
});

it("says what it cannot replay", async () => {
  version("look up");
  await save(true);
  const text = '{ "runId": "wrun_1", "workflow": "nowhere", "journal": [] }';
  writeFileSync(join(folder, "other.json"), text);
  await expect(replayJournal(join(folder, "other.json"))).rejects.toSatisfy(WorkflowNotRegisteredError.is);
  writeFileSync(join(folder, "none.json"), "{}");
  await expect(replayJournal(join(folder, "none.json"))).rejects.toThrow(/none\.json is no journal/);
});

it("waits for steps as they come, and as they end", async () => {
  deploy();
  await using t = await testEnvironment();
  const first = step("first", async () => 1);
  const second = step("second", async () => {
    throw new Error("no");
  });
  second.maxRetries = 0;
  const flow = workflow("flow", async () => {
    await first();
    await second().catch(() => {});
    await sleep("1 day");
  });
  const run = await start(flow);
  const { stepName, stepId } = await waitForStep(run, { step: first, state: "completed" });
  expect(stepName).toBe("first");
  expect((await waitForStep(run, { step: "second", state: "failed" })).stepId).not.toBe(stepId);
  await t.result(run);
  await expect(waitForStep(run)).rejects.toThrow(/has ended \(completed\) and waits for a step no more/);
  await expect(waitForStep(run, { step: async () => {} })).rejects.toThrow(/must be a step function/);
});
