import { attributeKeys, type FirstMail, type RunFilter, type World } from "@perdure/core/world";
import {
  CLAIM_ID,
  claiming,
  event,
  finish,
  firstClaim,
  hold,
  NOW,
  newRun,
  releasing,
  taking,
  WORKFLOW,
} from "@perdure/testbed/requests";
import { afterAll, beforeAll, expect, test } from "vitest";
import { postgresWorld } from "../src/index.ts";
import { dropSchema, newSchema, serverUrl, superuser } from "./store.ts";

/** Rows read by whole-table scans, and rows read by indexes, of every table of the schema since it was made. */
interface Reading {
  readonly scanned: number;
  readonly indexed: number;
}

const FILLED = 60_000;
const schemas = { empty: newSchema(), filled: newSchema() };
const worlds: Partial<Record<keyof typeof schemas, World>> = {};

beforeAll(async () => {
  const url = await serverUrl();
  const admin = await superuser();
  for (const name of ["empty", "filled"] as const) {
    const world = postgresWorld({
      url,
      schema: schemas[name],
      clock: "caller",
      maxConnections: 1,
      listen: false,
    });
    await world.open();
    worlds[name] = world;
  }
  const { empty, filled } = schemas;
  // Runs of every kind: a quarter ended, a quarter asleep, a quarter due (of another workflow), a quarter leased.
  await admin.query(`
    INSERT INTO ${filled}.runs (run_id, workflow, queue, status, epoch, lost_claims, generation, first_seq, swept_seq, seq, bytes,
      mail_seq, mail_done, end_seq, end_done, named, owner, due_at, created_at, completed_at, idempotency_key)
    SELECT 'wrun_' || lpad(i::text, 26, '0'), CASE WHEN i % 4 = 2 THEN 'other' ELSE 'filler' END,
      CASE WHEN i % 4 = 2 THEN 'other' ELSE 'filler' END,
      CASE WHEN i % 4 = 0 THEN 'completed' ELSE 'running' END, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, true, CASE WHEN i % 4 = 3 THEN 'w' END,
      CASE i % 4 WHEN 0 THEN NULL WHEN 2 THEN ${NOW} - i ELSE ${NOW} + 1000000 + i END, ${NOW},
      CASE WHEN i % 4 = 0 THEN ${NOW} + i END, 'key-' || i
    FROM generate_series(1, ${FILLED}) AS i`);
  await admin.query(`
    INSERT INTO ${filled}.events SELECT id, 1, 'run_created', ${NOW}, NULL, NULL, NULL, NULL FROM ${filled}.runs;
    INSERT INTO ${filled}.mail SELECT id, id % 2 = 0, 1, 'm' || id, 'wake', NULL, ${NOW}, NULL FROM ${filled}.runs;
    INSERT INTO ${filled}.names SELECT 'hook:' || id, id, 'h', ${NOW}, 0, 0, CASE WHEN status = 'completed' THEN 0 END FROM ${filled}.runs;
    INSERT INTO ${filled}.names SELECT 'start:' || id, id, 's', ${NOW}, NULL, 0, CASE WHEN status = 'completed' THEN 9e15 END FROM ${filled}.runs;
    INSERT INTO ${filled}.attributes SELECT '${keyOf("plan", "paid")}', id FROM ${filled}.runs WHERE id % 2 = 0;
    INSERT INTO ${filled}.attributes SELECT '${keyOf("customer", "7")}', id FROM ${filled}.runs WHERE id % 20000 = 0;
    INSERT INTO ${filled}.records SELECT 'filler:' || id, 'v', '', CASE WHEN id % 2 = 0 THEN ${NOW} + id END FROM ${filled}.runs`);
  // With statistics the planner knows that the small tables have one page: the worst case for an index.
  for (const table of ["runs", "events", "mail", "names", "attributes", "records"]) {
    for (const schema of [empty, filled]) await admin.query(`VACUUM ANALYZE ${schema}.${table}`);
  }
}, 180_000);

afterAll(async () => {
  for (const name of ["empty", "filled"] as const) {
    await worlds[name]?.close();
    await dropSchema(schemas[name]);
  }
});

test.each(["empty", "filled"] as const)("no verb scans a table that is %s", async (name) => {
  const world = worlds[name] as World;
  // A query is planned anew each time, and may read the one page of a small table as it is. The plan of a verb is kept.
  const queries = name === "filled";
  await everyVerb(world, "first", queries);
  const before = await readingOf(schemas[name]);
  // Ten times, so that a plan that is made anew after some calls is among them.
  for (let round = 0; round < 10; round++) await everyVerb(world, `${round}`, queries);
  const after = await readingOf(schemas[name]);
  // The journals and mailboxes of the two runs that each round claims are such queries: each may read all that is there.
  expect(after.scanned - before.scanned).toBeLessThanOrEqual(queries ? 0 : 10 * 10);
  // Each round writes a dozen rows of each table. A plan that walks through an index shows here.
  expect(after.indexed - before.indexed).toBeLessThan(10 * 1_000);
});

/** What matches few runs of the filled table, each found by an index of its own, and pages of what matches many. */
const LISTINGS: readonly RunFilter[] = [
  {},
  { workflow: WORKFLOW, statuses: ["running"] },
  { workflow: "filler", statuses: ["running", "completed"] },
  { queue: "other" },
  { queue: "unknown" },
  { statuses: ["failed", "cancelled"] },
  { attributes: { customer: "7" } },
  { attributes: { customer: "7", plan: "paid" } },
  { attributes: { plan: "paid" } },
  { createdFrom: NOW - 9, createdBefore: NOW },
  { completedBefore: NOW + 99 },
];

/** Every verb; with `queries`, those that workers and clients make all the time. */
async function everyVerb(world: World, label: string, queries: boolean): Promise<void> {
  const ids = [1, 2, 3, 4].map((index) => `wrun_${label}_${index}`);
  const lease = { owner: "w", claimId: CLAIM_ID, ttl: 1_000 };
  const names = (of: string) => [firstClaim(`start:${of}`, { keepFor: 5 }), firstClaim(`also:${of}`)];
  const starts = ids.map((runId, index) =>
    newRun(runId, {
      names: names(runId),
      ...(index > 1 ? { lease } : { mail: [firstMail(`first ${runId}`, `also:${runId}`)] }),
    }),
  );
  expect(await world.createRuns(starts, NOW)).toMatchObject(ids.map(() => ({ outcome: "created" })));
  // Some names are held, and what one of the starts brings is another run's already.
  const refused = [
    newRun(`${ids[0]} again`, { names: names(ids[0] ?? "") }),
    newRun(`${ids[1]} again`, {
      names: [firstClaim(`free:${label}`)],
      mail: [firstMail(`first ${ids[1]}`, `free:${label}`)],
    }),
  ];
  const refusals = await world.createRuns(queries ? refused : refused.slice(1), NOW);
  expect(refusals.map(({ outcome }) => outcome)).toEqual(queries ? ["held", "mailed"] : ["mailed"]);
  const { runs } = await world.claim(claiming({ queues: [WORKFLOW, "unused"] }));
  expect(runs.map(({ run }) => run.runId)).toEqual(ids.slice(0, 2));
  await world.claim(claiming({ queues: ["unused"] }));
  await world.commit(
    ids.map((runId) => ({
      ...hold(runId, 1, [event("step_completed", "s"), taking("h", runId), taking("g", "hook:7")]),
      run: { attributes: { customer: runId } },
    })),
    NOW,
  );
  // The journals begin anew, without the events before; one name is given back, and another taken.
  await world.commit(
    ids.map((runId) => ({
      ...hold(runId, 4, [
        event("run_created"),
        releasing(`also:${runId}`),
        taking("later", `later ${runId}`),
      ]),
      restart: true,
      mailDone: 1,
    })),
    NOW,
  );
  await world.renew({
    leases: ids.map((runId) => ({ runId, epoch: 1, claimId: CLAIM_ID })),
    ttl: 2_000,
    now: NOW,
  });
  await world.deliver(
    ids.map((name) => ({ messageId: name, to: { name }, type: "hook_received", at: NOW, data: null })),
    NOW,
  );
  await world.deliver(
    ids.map((runId) => ({
      ...{
        messageId: `end ${runId}`,
        to: { runId, id: "s" },
        type: "ended",
        at: NOW,
        data: null,
        atEnd: true,
      },
    })),
    NOW,
  );
  const record = (key: string, ttl: number | null) => ({
    ...{ key, writeId: `${key} written`, ifVersion: null, ttl },
    value: new Uint8Array(1),
  });
  // The second batch finds the records of the first: some expired, which it sweeps, some in its way.
  for (const now of [NOW - 10, NOW]) {
    const made = ids.map((key, index) => record(key, index > 1 ? 5 : null));
    expect(await world.writeRecords(made, now)).toMatchObject(made.map(() => ({ outcome: "written" })));
  }
  const removals = ids.map((key) => ({
    ...record(key, 0),
    writeId: `${key} removed`,
    ifVersion: `${key} written`,
  }));
  expect(await world.writeRecords(removals, NOW)).toMatchObject(ids.map(() => ({ outcome: "written" })));
  const stream = (runId: string) => ({ runId, name: "answer" });
  for (const n of [0, 1]) {
    const chunks = [new Uint8Array(3)];
    await world.appendChunks(ids.map((runId) => ({ ...stream(runId), writer: "w", n, chunks })));
  }
  await world.readChunks({ ...stream(ids[0] ?? ""), from: 1, limit: 10, byteLimit: 100 });
  await world.closeStream(stream(ids[1] ?? ""));
  if (queries) {
    await world.readRecords([...ids, "filler:7"], NOW);
    for (const prefix of [`wrun_${label}`, "filler:19999", "nothing"]) {
      const page = await world.listRecords({ prefix, limit: 5, now: NOW });
      expect(page.records.every(({ key }) => key.startsWith(prefix))).toBe(true);
    }
    await world.listRecords({ prefix: "filler:", limit: 5, cursor: "filler:5", now: NOW });
    await world.listRecords({ prefix: "", limit: 5, now: NOW });
    await world.listStreams({ runId: ids[0] ?? "", limit: 10 });
    await world.listMail(ids.map((runId) => ({ runId, after: 0 })));
    await world.listEndMail(ids[0] ?? "", 0, 10);
    await world.getNames([...ids, "hook:7", "hook:8"], NOW);
    for (const prefix of ["hook:19999", "start:19999", "nothing", ""]) {
      await world.listNames({ prefix, limit: 5, now: NOW });
      await world.listNames({ prefix, runId: ids[0] ?? "", limit: 5, now: NOW });
    }
    await world.listNames({ prefix: "start:", limit: 5, cursor: "start:5", now: NOW });
    await world.getRuns(ids);
    await world.listEvents(ids[0] ?? "", 0, 100);
    for (const query of LISTINGS) await world.listRuns({ ...query, limit: 10 });
    await world.countRuns({ attributes: { customer: "7" } });
  }
  const alone = await world.commit([hold(ids[0] ?? "", 7, [event("step_created", "alone")])], NOW);
  expect(alone).toMatchObject([{ outcome: "committed" }]);
  await world.commit(
    ids
      .slice(1)
      .map((runId) => ({ ...finish(runId, 7, NOW - 1), mailDone: 2, run: { ...ENDED, endDone: 1 } })),
    NOW,
  );
  // One ends by itself, and has its end mail to read afterwards.
  const last = { ...hold(ids[0] ?? "", 8, [event("run_completed")]), run: ENDED };
  await world.commit([{ ...last, mailDone: 2 }], NOW);
  const reads = { ...hold(ids[0] ?? "", 9, []), lease: { type: "park", dueAt: null } } as const;
  await world.commit([{ ...reads, mailDone: 2, run: { endDone: 1 } }], NOW);
  expect(await world.deleteRuns(ids)).toBe(ids.length);
}

const ENDED = { status: "completed", completedAt: NOW - 1 } as const;

function firstMail(messageId: string, id: string): FirstMail {
  return { messageId, id, type: "hook_received", at: NOW, data: null };
}

function keyOf(name: string, value: string): string {
  return attributeKeys({ [name]: value }).join();
}

async function readingOf(schema: string): Promise<Reading> {
  const admin = await superuser();
  // A session reports what it read when it next has nothing to do; the World's one session has been idle since.
  let last: Reading | undefined;
  for (;;) {
    await admin.query("SELECT pg_sleep(1.1)");
    const { rows } = await admin.query<Reading>(
      `SELECT coalesce(sum(seq_tup_read), 0)::int AS scanned, coalesce(sum(idx_tup_fetch), 0)::int AS indexed
       FROM pg_stat_user_tables WHERE schemaname = $1 AND relname <> 'versions'`,
      [schema],
    );
    const [now] = rows;
    if (now !== undefined && last !== undefined && now.indexed === last.indexed) return now;
    last = now;
  }
}
