import { randomUUID } from "node:crypto";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { start } from "perdure/api";
import { configure, shutdown } from "perdure/runtime";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { place } from "./process.ts";
import { four, hangs } from "./processes/drain-flows.ts";

// Processes that live for two seconds and are killed then: what drain() promises to a serverless function.

const BUDGET = 2500;
const RUNS = 10;

afterEach(shutdown);

interface Target {
  readonly world: World;
  readonly url: string;
  readonly namespace: string;
}

/** Starts runs, lets one process after the other drain until none is due, and gives the most connections that one had. */
async function drained(
  { world, url, namespace }: Target,
  here: ReturnType<typeof place>,
  watch: () => Promise<void> = () => new Promise((resolve) => setTimeout(resolve, 50)),
) {
  configure({ world, worker: false });
  const names = Array.from({ length: RUNS }, (_, index) => `run${index}`);
  const runs = await Promise.all([...names.map((name) => start(four, [name])), start(hangs, ["stuck"])]);
  const answers: { processed: number; due: number; took: number }[] = [];
  for (let due = 1; due > 0; ) {
    expect(answers.length).toBeLessThan(12);
    const process = here.start("drainer", url, namespace, BUDGET);
    const gone = process.ended();
    for (let over = false; !over; ) {
      over = await Promise.race([gone.then(() => true), watch().then(() => false)]);
    }
    expect(await gone).toBe("SIGKILL");
    const answer = JSON.parse(process.lines[0] ?? "null");
    expect(answer, process.errors).not.toBeNull();
    expect(answer.took).toBeLessThan(BUDGET);
    // No lease outlives the process, whatever it was doing.
    const { runs: rows } = await world.listRuns({ limit: 100 });
    expect(rows.map(({ owner }) => owner)).toEqual(rows.map(() => null));
    answers.push(answer);
    due = answer.due;
  }
  expect(answers.length).toBeGreaterThan(1);
  for (const run of runs) expect(await run.status).toBe("completed");
  const ledger = here.ledger().map((line) => line.split(" "));
  const ended = ledger.filter(([what]) => what === "end").map(([, name]) => name);
  const steps = names.flatMap((name) => [1, 2, 3, 4].map((n) => `${name}/${n}`));
  // Every body came to its end once, under one id.
  expect(ended.toSorted()).toEqual([...steps, "stuck/1", "stuck/2"].toSorted());
  for (const name of ended) {
    expect(new Set(ledger.filter(([, of]) => of === name).map(([, , , id]) => id)).size).toBe(1);
  }
}

test("SQLite: what a drain had not finished at its deadline goes on in the next one, and nothing is done twice", async () => {
  const here = place();
  const world = sqliteWorld({ path: here.database });
  await drained({ world, url: "sqlite", namespace: "-" }, here);
});

test("Redis: the same", async () => {
  const { url } = await sharedRedis();
  const namespace = newNamespace();
  await drained({ world: redisWorld({ url, namespace }), url, namespace }, place());
});

test("MongoDB: the same", async () => {
  const { url } = await sharedMongodb();
  const namespace = newNamespace();
  await drained({ world: mongodbWorld({ url, namespace }), url, namespace }, place());
});

test("Postgres: the same, with two connections at most", async () => {
  const here = place();
  const { url } = await sharedPostgres();
  const namespace = newNamespace();
  const named = new URL(url);
  named.searchParams.set("application_name", namespace);
  const looking = new pg.Client({ connectionString: url });
  await looking.connect();
  let most = 0;
  try {
    await drained(
      { world: postgresWorld({ url, namespace }), url: named.href, namespace },
      here,
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const { rows } = await looking.query(
          "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1",
          [namespace],
        );
        most = Math.max(most, rows[0].n);
      },
    );
  } finally {
    await looking.end();
  }
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(2);
});

function newNamespace(): string {
  return `d${randomUUID().slice(0, 8)}`;
}
