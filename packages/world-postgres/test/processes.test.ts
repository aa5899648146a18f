import { join } from "node:path";
import { Client } from "@perdure/core/testing";
import { scriptsIn } from "@perdure/testbed/processes";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import pg from "pg";
import { expect, test } from "vitest";
import { defineProgram } from "./processes/program.ts";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

const start = scriptsIn(join(import.meta.dirname, "processes"));

const RUNS = 1_000;

test("two worker processes share a thousand runs: every step body once", async () => {
  const url = await serverUrl();
  const schema = temporarySchema();
  const world = await openWorld({ url, schema, clock: "store" });
  const admin = await superuser();
  await admin.query(`CREATE TABLE ${schema}.bodies (step_id text, pid int)`);
  const workers = [start("worker", url, schema), start("worker", url, schema)];
  await Promise.all(workers.map((worker) => worker.line((line) => line === "ready")));

  const client = new Client({ world });
  const program = defineProgram(schema, new pg.Pool());
  const runs = await Promise.all(
    Array.from({ length: RUNS }, (_, customer) => client.start<number>(program, [customer])),
  );
  const results = await Promise.all(runs.map((run) => run.returnValue));
  for (const worker of workers) worker.go();
  await Promise.all(workers.map((worker) => worker.end()));

  expect(results).toEqual(results.map((_, customer) => 2 * customer));
  const { rows } = await admin.query(`
    SELECT count(*)::int AS bodies, count(DISTINCT step_id)::int AS steps, count(DISTINCT pid)::int AS pids
    FROM ${schema}.bodies`);
  expect(rows).toEqual([{ bodies: 2 * RUNS, steps: 2 * RUNS, pids: 2 }]);
  await checkInvariants(world);
}, 120_000);
