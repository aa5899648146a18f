import { join } from "node:path";
import type { Hint } from "@perdure/core/world";
import { scriptsIn } from "@perdure/testbed/processes";
import { CLAIM_ID, NOW, newRun, WORKFLOW } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

const start = scriptsIn(join(import.meta.dirname, "processes"));

test("twelve claimers in three processes: each run has one winner", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const runIds = Array.from({ length: 300 }, (_, index) => `wrun_${String(index).padStart(4, "0")}`);
  await world.createRuns(
    runIds.map((runId) => newRun(runId)),
    NOW,
  );

  const processes = [1, 2, 3].map(() => start("claimer", path, WORKFLOW, NOW, 4));
  await Promise.all(processes.map((process) => process.line((line) => line === "ready")));
  for (const process of processes) process.go();
  await Promise.all(processes.map((process) => process.end()));

  const claimed = processes.flatMap(({ lines }) => lines.filter((line) => line.startsWith("claimed ")));
  expect(claimed.toSorted()).toEqual(runIds.map((runId) => `claimed ${runId}`));
  for (const row of await world.getRuns(runIds)) expect(row?.epoch).toBe(1);
});

test("what another process writes is hinted as changed", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const heard = new Promise<Hint>((resolve) => {
    world.subscribe(resolve);
  });
  await start("starter", path, WORKFLOW, NOW).end();
  expect(await heard).toEqual({ type: "changed" });
});

test("two instances of one process tell each other exactly", async () => {
  const path = temporaryFile();
  const [writer, reader] = [await openWorld({ path }), await openWorld({ path })];
  const other = await openWorld({ path, namespace: "other" });
  const hints: Hint[] = [];
  reader.subscribe((hint) => {
    if (hint.type !== "changed") hints.push(hint);
  });
  await other.createRuns([newRun("wrun_0")], NOW);
  await writer.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })], NOW);
  await writer.deliver(
    [{ messageId: "m1", to: { runId: "wrun_1" }, type: "wake", at: NOW, data: null }],
    NOW,
  );
  await writer.createRuns([newRun("wrun_2")], NOW);
  await writer.deliver(
    [{ messageId: "m2", to: { runId: "wrun_2" }, type: "wake", at: NOW, data: null }],
    NOW,
  );
  expect(hints).toEqual([
    { type: "mail", runId: "wrun_1" },
    { type: "due" },
    { type: "mail", runId: "wrun_2" },
    { type: "due" },
  ]);
});
