import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { scriptsIn } from "@perdure/testbed/processes";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { sqliteWorld } from "../src/index.ts";
import { openWorld, temporaryFile } from "./store.ts";

const start = scriptsIn(join(import.meta.dirname, "processes"));

test("four processes migrate at once: every version is applied once", async () => {
  const path = temporaryFile();
  await migrateAtOnce(path, 1);
  const world = await openWorld({ path });
  await world.createRuns([newRun("wrun_1")], NOW);
  await migrateAtOnce(path, 3);

  const database = new DatabaseSync(path);
  const versions = database.prepare("SELECT version FROM perdure_schema ORDER BY version").all();
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3]);
  expect(database.prepare("SELECT run_id, second FROM third").all()).toEqual([
    { run_id: "wrun_1", second: null },
  ]);
  database.close();
});

test("four processes on a new file skip no version; the store of a newer version is refused, and left alone", async () => {
  const path = temporaryFile();
  await migrateAtOnce(path, 3);
  const database = new DatabaseSync(path);
  const versions = database.prepare("SELECT version FROM perdure_schema ORDER BY version").all();
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3]);
  database.close();
  await expect(sqliteWorld({ path }).open()).rejects.toThrow(
    /perdure\.db has schema version 3; .* versions up to 1\. Update the package/,
  );
});

async function migrateAtOnce(path: string, versions: number): Promise<void> {
  const processes = [1, 2, 3, 4].map(() => start("migrator", path, versions));
  await Promise.all(processes.map((process) => process.line((line) => line === "ready")));
  for (const process of processes) process.go();
  await Promise.all(processes.map((process) => process.end()));
  for (const { lines } of processes) expect(lines).toEqual(["ready", `version ${versions}`]);
}
