import { join } from "node:path";
import type { Hint } from "@perdure/core/world";
import { scriptsIn } from "@perdure/testbed/processes";
import { CLAIM_ID, NOW, newRun, WORKFLOW } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, temporaryDatabase } from "./store.ts";

const start = scriptsIn(join(import.meta.dirname, "processes"));

test("fifty claimers in two processes: each run has one winner", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const runIds = Array.from({ length: 120 }, (_, index) => `wrun_${String(index).padStart(4, "0")}`);
  await world.createRuns(
    runIds.map((runId) => newRun(runId)),
    NOW,
  );

  const processes = [1, 2].map(() => start("claimer", database.url, database.db, WORKFLOW, NOW, 25));
  await Promise.all(processes.map((process) => process.line((line) => line === "ready")));
  for (const process of processes) process.go();
  await Promise.all(processes.map((process) => process.end()));

  const claimed = processes.flatMap(({ lines }) => lines.filter((line) => line.startsWith("claimed ")));
  expect(claimed.toSorted()).toEqual(runIds.map((runId) => `claimed ${runId}`));
  for (const row of await world.getRuns(runIds)) expect(row?.epoch).toBe(1);
}, 120_000);

test("two instances of one process tell each other exactly", async () => {
  const database = await temporaryDatabase();
  const [writer, reader] = [await openWorld(database), await openWorld(database)];
  const other = await openWorld({ ...database, namespace: "other" });
  const hints: Hint[] = [];
  reader.subscribe((hint) => {
    if (hint.type !== "changed") hints.push(hint);
  });
  const message = (messageId: string, runId: string) =>
    ({ messageId, to: { runId }, type: "wake", at: NOW, data: null }) as const;
  await other.createRuns([newRun("wrun_0")], NOW);
  await writer.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })], NOW);
  await writer.deliver([message("m1", "wrun_1")], NOW);
  await writer.createRuns([newRun("wrun_2")], NOW);
  await writer.deliver([message("m2", "wrun_2")], NOW);
  expect(hints).toEqual([
    { type: "mail", runId: "wrun_1" },
    { type: "due" },
    { type: "mail", runId: "wrun_2" },
    { type: "due" },
  ]);
});
