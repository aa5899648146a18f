import { join } from "node:path";
import { scriptsIn } from "@perdure/testbed/processes";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { migratePostgres, postgresWorld } from "../src/index.ts";
import { describeSchema } from "./schema-text.ts";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

const start = scriptsIn(join(import.meta.dirname, "processes"));

test("four processes migrate at once: every version is applied once", async () => {
  const schema = temporarySchema();
  await migrateAtOnce(schema, 0, 1);
  const world = await openWorld({ url: await serverUrl(), schema });
  await world.createRuns([newRun("wrun_1")], NOW);
  await migrateAtOnce(schema, 1, 3);
  expect(await versionsOf(schema)).toEqual([1, 2, 3]);
  const { rows } = await (await superuser()).query(`SELECT * FROM ${schema}.third`);
  expect(rows).toEqual([{ run_id: "wrun_1", second: null }]);
}, 120_000);

test("four processes on a new schema skip no version; the store of a newer version is refused, and left alone", async () => {
  const schema = temporarySchema();
  await migrateAtOnce(schema, 0, 3);
  expect(await versionsOf(schema)).toEqual([1, 2, 3]);
  await expect(postgresWorld({ url: await serverUrl(), schema }).open()).rejects.toThrow(
    /has schema version 3; .* versions up to 1\. Update the package/,
  );
  expect(await versionsOf(schema)).toEqual([1, 2, 3]);
}, 120_000);

test("without `migrate`, a store that is not up to date is refused; the owner migrates it", async () => {
  const schema = temporarySchema();
  const url = await serverUrl();
  const options = { url, schema, migrate: false };
  await expect(postgresWorld(options).open()).rejects.toThrow(
    /has schema version 0, .* needs 1\. Migrate it first/,
  );
  expect(await migratePostgres({ url, schema })).toEqual({ schema, from: 0, to: 1 });
  expect(await migratePostgres({ url, schema })).toEqual({ schema, from: 1, to: 1 });
  const world = await openWorld(options);
  expect(world.describe()).toMatchObject({ schemaVersion: 1 });
});

// A change of this file is a change of every user's database: it wants a new migration.
test("the tables are those of the committed description", async () => {
  const schema = temporarySchema();
  await openWorld({ url: await serverUrl(), schema });
  await expect(await describeSchema(schema)).toMatchFileSnapshot("../schema.txt");
});

async function versionsOf(schema: string): Promise<number[]> {
  const { rows } = await (await superuser()).query(`SELECT version FROM ${schema}.versions ORDER BY version`);
  return rows.map(({ version }) => version);
}

async function migrateAtOnce(schema: string, from: number, to: number): Promise<void> {
  const url = await serverUrl();
  const processes = [1, 2, 3, 4].map(() => start("migrator", url, schema, to));
  await Promise.all(processes.map((process) => process.line((line) => line === "ready")));
  for (const process of processes) process.go();
  await Promise.all(processes.map((process) => process.end()));
  // One of them migrated; the others waited for it.
  const found = `found version ${to}`;
  expect(processes.map(({ lines }) => lines[1]).sort()).toEqual([
    found,
    found,
    found,
    `version ${from} to ${to}`,
  ]);
}
