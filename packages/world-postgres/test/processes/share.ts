/** Two worker processes that share many runs, and the question whether each step body was executed once. */
import { Client } from "@perdure/core/testing";
import { scriptsIn } from "@perdure/testbed/processes";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import pg from "pg";
import { expect } from "vitest";
import { openWorld, superuser, temporarySchema } from "../store.ts";
import { defineProgram } from "./program.ts";

const start = scriptsIn(import.meta.dirname);

/**
 * @param url by which the processes, and this one, reach the store
 * @param size `atOnce` is how many runs a process executes at once
 */
export async function shareRuns(
  url: string,
  size: { readonly runs: number; readonly steps: number; readonly atOnce?: number },
): Promise<void> {
  const schema = temporarySchema();
  const world = await openWorld({ url, schema, clock: "store" });
  const admin = await superuser();
  await admin.query(`CREATE TABLE ${schema}.bodies (step_id text, pid int)`);
  const startWorker = () => start("worker", url, schema, size.atOnce ?? size.runs);
  const workers = [startWorker(), startWorker()];
  await Promise.all(workers.map((worker) => worker.line((line) => line === "ready")));

  const client = new Client({ world });
  const program = defineProgram(schema, new pg.Pool());
  const runs = await Promise.all(
    Array.from({ length: size.runs }, (_, customer) => client.start<number>(program, [customer, size.steps])),
  );
  const results = await Promise.all(runs.map((run) => run.returnValue));
  for (const worker of workers) worker.go();
  await Promise.all(workers.map((worker) => worker.end()));

  expect(results).toEqual(results.map((_, customer) => size.steps * customer));
  const { rows } = await admin.query(`
    SELECT count(*)::int AS bodies, count(DISTINCT step_id)::int AS steps, count(DISTINCT pid)::int AS pids
    FROM ${schema}.bodies`);
  const bodies = size.runs * size.steps;
  expect(rows).toEqual([{ bodies, steps: bodies, pids: 2 }]);
  await checkInvariants(world);
}
