import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { CommitEvent, RunCommit, World } from "@perdure/core/world";
import { createDashboard, type Dashboard, type RunDetail, type RunPage } from "@perdure/dashboard";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { newRun } from "@perdure/testbed/requests";
import { postgresWorld } from "@perdure/world-postgres";
import { sqliteWorld } from "@perdure/world-sqlite";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";

// The dashboard before 100,000 runs of a day, and one run of 10,000 events: every page of it reads along indexes, and no more rows than
// it shows. The times are printed, not judged.

const RUNS = 100_000;
const STEPS = 5_000;
const DAY = 86_400_000;
const NOW = Date.now();
const CLAIM = "claim-1";
const LONG = "wrun_0000000000000000000LONG00";

/** A store, and what its plans say. */
interface Place {
  readonly world: World;
  /** Tells the store that much was written, so that it plans anew. */
  settle(): Promise<void>;
  /** Rows that were read by a scan of a whole table of runs or events, and by indexes, since the last call. */
  reading(): Promise<{ readonly scanned: readonly string[]; readonly rows: number | null }>;
  close(): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), "perdure-dashboard-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async sqlite() {
    const database = new DatabaseSync(join(folder, "load.db"));
    const scanned = new Set<string>();
    const prepare = database.prepare.bind(database);
    database.prepare = (text, ...options) => {
      if (/^\s*SELECT/.test(text) && /perdure_(runs|events|names|records)/.test(text)) {
        for (const { detail } of prepare(`EXPLAIN QUERY PLAN ${text}`).all()) {
          if (/^SCAN (?!.*USING (COVERING )?INDEX)|TEMP B-TREE/.test(String(detail))) {
            if (!/^SCAN (CONSTANT|p$|\(subquery)/.test(String(detail))) scanned.add(`${detail}: ${text}`);
          }
        }
      }
      return prepare(text, ...options);
    };
    const world = sqliteWorld({ database, synchronous: "normal" });
    return {
      world,
      settle: async () => database.exec("ANALYZE"),
      async reading() {
        const found = [...scanned];
        scanned.clear();
        return { scanned: found, rows: null };
      },
      async close() {
        await world.close();
        database.close();
      },
    };
  },
  async postgres() {
    const { url } = await sharedPostgres();
    const schema = `dash_${randomUUID().replaceAll("-", "")}`;
    const world = postgresWorld({ url, schema, clock: "caller", maxConnections: 2 });
    const admin = new pg.Pool({ connectionString: url, max: 1 });
    let [before, read] = [0, 0];
    return {
      world,
      async settle() {
        for (const table of ["runs", "events", "names", "attributes", "records"]) {
          await admin.query(`VACUUM ANALYZE ${schema}.${table}`);
        }
      },
      async reading() {
        // A session reports what it read when it has had nothing to do for a second.
        await admin.query("SELECT pg_sleep(1.5)");
        const { rows } = await admin.query<{ scanned: string; fetched: string }>(
          `SELECT coalesce(sum(seq_tup_read), 0) AS scanned, coalesce(sum(idx_tup_fetch), 0) AS fetched
           FROM pg_stat_user_tables WHERE schemaname = $1 AND relname IN ('runs', 'events', 'names', 'attributes')`,
          [schema],
        );
        const [scannedNow, readNow] = [Number(rows[0]?.scanned), Number(rows[0]?.fetched)];
        const found = scannedNow > before ? [`${scannedNow - before} rows of a table`] : [];
        const fetched = readNow - read;
        [before, read] = [scannedNow, readNow];
        return { scanned: found, rows: fetched };
      },
      async close() {
        await world.close();
        await admin.query(`DROP SCHEMA "${schema}" CASCADE`);
        await admin.end();
      },
    };
  },
};

/** Runs of five workflows over a day, most of them ended, and some that wait for a worker. */
async function fill(world: World): Promise<void> {
  const BATCH = 500;
  const lease = { owner: "w", claimId: CLAIM, ttl: 30_000 };
  for (let from = 0; from < RUNS; from += BATCH) {
    const numbers = Array.from({ length: BATCH }, (_, at) => from + at);
    const createdAt = (n: number): number => NOW - DAY + Math.floor((n / RUNS) * DAY);
    const ends = numbers.filter((n) => n % 20 !== 0);
    await world.createRuns(
      numbers.map((n) =>
        newRun(idOf(n), {
          workflow: `load//flow${n % 5}`,
          queue: `load//flow${n % 5}`,
          attributes: { customer: `cus_${n % 1_000}` },
          events: [{ type: "run_created", at: createdAt(n), id: "1", name: null, data: null }],
          lease: n % 20 === 0 ? null : lease,
        }),
      ),
      NOW,
    );
    await world.commit(
      ends.map((n): RunCommit => {
        const status = n % 25 === 1 ? "failed" : n % 100 === 2 ? "cancelled" : "completed";
        const at = createdAt(n) + 100 + (n % 1_000);
        const events = [{ type: `run_${status}`, at, id: null, name: null, data: null }];
        const run = { status, startedAt: createdAt(n) + 50, completedAt: at } as const;
        const parked = { type: "park", dueAt: null } as const;
        return { runId: idOf(n), epoch: 1, claimId: CLAIM, seq: 1, events, mailDone: 0, run, lease: parked };
      }),
      NOW,
    );
  }
  await world.createRuns([newRun(LONG, { workflow: "load//long", queue: "load//long", lease })], NOW);
  const steps = Array.from({ length: STEPS }, (_, n): CommitEvent[] => [
    { type: "step_created", at: NOW + n, id: `step_${n}`, name: "load//step", data: Buffer.from(`j[${n}]`) },
    {
      type: "step_completed",
      at: NOW + n + 5,
      id: `step_${n}`,
      name: String(NOW + n + 1),
      data: Buffer.from(`j${n}`),
    },
  ]).flat();
  await world.commit(
    [
      {
        runId: LONG,
        epoch: 1,
        claimId: CLAIM,
        seq: 1,
        events: steps,
        mailDone: 0,
        run: {},
        lease: { type: "hold", ttl: 30_000 },
      },
    ],
    NOW,
  );
}

function idOf(n: number): string {
  return `wrun_${String(n).padStart(26, "0")}`;
}

const week = NOW - 7 * DAY;

/** What the pages ask for. */
const QUESTIONS: readonly string[] = [
  "api/runs",
  "api/runs?status=failed",
  "api/runs?status=failed&status=cancelled&workflow=load%2F%2Fflow1",
  "api/runs?workflow=load%2F%2Fflow3",
  "api/runs?attribute=customer%3Dcus_7",
  `api/runs?from=${NOW - DAY / 2}&before=${NOW - DAY / 4}`,
  `api/runs?parent=${LONG}`,
  "api/search?q=cus_7",
  "api/search?q=customer%3Dcus_7",
  "api/search?q=flow",
  `api/search?q=${idOf(50_000)}`,
  "api/charts?range=1h",
  "api/charts?range=24h",
  "api/charts?range=7d",
  `api/runs/${LONG}/journal?after=5000&limit=200`,
  `api/runs/${LONG}/tree`,
  "api/hooks",
  "api/keys",
  "api/locks",
  "api/workers",
];

/** What counts all that there is, which a store may do by its table, and which is kept for twenty times as long as it took. */
const COUNTS: readonly string[] = ["api/counts", `api/counts?workflow=load%2F%2Fflow1&from=${week}`];

async function ask<T>(dashboard: Dashboard, path: string): Promise<T> {
  const answer = await dashboard(new Request(`http://localhost/${path}`));
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Whatever is kept of earlier answers is forgotten with an act, also with one that is refused. */
async function forget(dashboard: Dashboard): Promise<void> {
  const headers = { "content-type": "application/json" };
  await dashboard(new Request("http://localhost/api/bulk", { method: "POST", body: "none", headers }));
}

describe.each(Object.keys(places))("%s", (name) => {
  test("100,000 runs are read along indexes", { timeout: 600_000 }, async () => {
    const { world, settle, reading, close } = await (places[name] as () => Promise<Place>)();
    await world.open();
    await fill(world);
    await settle();
    const dashboard = createDashboard({ world });
    const figures: Record<string, number> = {};
    const time = async (path: string): Promise<number> => {
      await forget(dashboard);
      const began = performance.now();
      await ask(dashboard, path);
      return performance.now() - began;
    };
    await reading();
    const measure = async (path: string): Promise<void> => {
      const times = [await time(path), await time(path), await time(path)].sort((a, b) => a - b);
      figures[path] = Math.round(times[1] as number);
    };
    for (const path of QUESTIONS) await measure(path);
    const { scanned, rows } = await reading();
    expect(scanned).toEqual([]);
    for (const path of COUNTS) await measure(path);
    // Three times for all of them, of which the charts read the most: 2,800 rows each.
    if (rows !== null) expect(rows).toBeLessThan(60_000);

    const began = performance.now();
    const { timeline } = await ask<RunDetail>(dashboard, `api/runs/${LONG}`);
    figures["a run of 10,000 events"] = Math.round(performance.now() - began);
    expect(timeline).toHaveLength(STEPS);
    const again = performance.now();
    await ask<RunDetail>(dashboard, `api/runs/${LONG}?since=9990`);
    figures["the same, what is new"] = Math.round(performance.now() - again);

    const pages = new Set<string>();
    let cursor: string | null = null;
    for (let page = 0; page < 5; page++) {
      const after: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const answer: RunPage = await ask(dashboard, `api/runs?limit=500&status=completed${after}`);
      for (const { runId } of answer.runs) pages.add(runId);
      cursor = answer.cursor;
    }
    expect(pages.size).toBe(2_500);
    console.log(`${name}, ms:`, figures, "rows:", rows);
    await close();
  });
});
