import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { startPostgres } from "@perdure/testbed/postgres";
import { CLAIM_ID, claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 1_000 };
const EXPIRED = NOW + 2_000;

test("a journal or a mailbox that is not whole: the run is named, and the others are claimed as ever", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  const ids = ["whole", "no first event", "no last event", "no event", "no message"];
  await world.createRuns(
    ids.map((runId) => newRun(runId, { lease })),
    NOW,
  );
  await world.commit(
    ids.map((runId) => hold(runId, 1, [event("step_created", "s"), event("step_completed", "s")])),
    NOW - 40_000,
  );
  await world.deliver(
    ids.map((runId) => ({ messageId: runId, to: { runId }, type: "wake", at: NOW, data: null })),
    NOW,
  );
  const admin = await superuser();
  const of = (table: string, runId: string) =>
    `DELETE FROM ${schema}.${table} USING ${schema}.runs r WHERE run = r.id AND r.run_id = '${runId}'`;
  await admin.query(`${of("events", "no first event")} AND ${schema}.events.seq = 1`);
  await admin.query(`${of("events", "no last event")} AND ${schema}.events.seq = 3`);
  await admin.query(of("events", "no event"));
  await admin.query(of("mail", "no message"));

  const { runs } = await world.claim(claiming({ now: EXPIRED }));
  const found = runs.map(({ run, events, mail, damage }) => [
    run.runId,
    events.length,
    mail.length,
    damage?.message.match(/has no .*\d/)?.[0] ?? null,
  ]);
  expect(found.sort()).toEqual([
    ["no event", 0, 0, "has no event 1 of its journal, which goes up to 3"],
    ["no first event", 0, 0, "has no event 1 of its journal, which goes up to 3"],
    ["no last event", 0, 0, "has no event 3 of its journal, which goes up to 3"],
    ["no message", 0, 0, "has no message 1"],
    ["whole", 3, 1, null],
  ]);
  expect(runs.find(({ damage }) => damage !== null)?.damage).toMatchObject({ retryable: false });
});

test("a listing names the row that cannot be read, and goes on after it", async () => {
  const schema = temporarySchema();
  const world = await openWorld({ url: await serverUrl(), schema });
  await world.createRuns(
    ["wrun_1", "wrun_2", "wrun_3"].map((runId) => newRun(runId)),
    NOW,
  );
  const admin = await superuser();
  await admin.query(`UPDATE ${schema}.runs SET attributes = 'secret' WHERE run_id = 'wrun_2'`);
  const page = await world.listRuns({ limit: 2 });
  expect(page).toMatchObject({ runs: [{ runId: "wrun_3" }], damaged: [{ runId: "wrun_2" }] });
  expect(page.damaged[0]?.damage).toMatchObject({ damaged: true, retryable: false });
  expect(page.damaged[0]?.damage.message).not.toContain("secret");
  const rest = await world.listRuns({ limit: 2, cursor: String(page.cursor) });
  expect(rest).toMatchObject({ runs: [{ runId: "wrun_1" }], damaged: [], cursor: null });
});

test("a page of a journal that is damaged on the disk costs one run", async () => {
  const server = await startPostgres({ fsync: false });
  onTestFinished(() => server.stop());
  const world = await openWorld({ url: server.url });
  const data = crypto.getRandomValues(new Uint8Array(60_000));
  const ids = ["wrun_1", "wrun_2", "wrun_3", "wrun_4", "wrun_5"];
  for (const runId of ids) {
    await world.createRuns([newRun(runId, { lease, events: [{ ...event("run_created"), data }] })], NOW);
  }
  const client = new pg.Client(server.url);
  await client.connect();
  const { rows } = await client.query(`
    SELECT current_setting('data_directory') AS folder, pg_relation_filepath(reltoastrelid) AS file, reltoastrelid::regclass AS toast
    FROM pg_class WHERE oid = 'perdure.events'::regclass`);
  const { folder, file, toast } = rows[0] as Record<"folder" | "file" | "toast", string>;
  // Each value lies in chunks; those of the third run in its middle.
  const chunks = await client.query(`
    SELECT (ctid::text::point)[0]::int AS page FROM ${toast}
    WHERE chunk_id = (SELECT DISTINCT chunk_id FROM ${toast} ORDER BY chunk_id OFFSET 2 LIMIT 1) AND chunk_seq = 15`);
  await client.query("CHECKPOINT");
  await client.end();
  const descriptor = openSync(join(folder, file), "r+");
  writeSync(descriptor, Buffer.alloc(8_192, 0xff), 0, 8_192, chunks.rows[0].page * 8_192);
  closeSync(descriptor);
  await server.restart("fast");
  await vi.waitUntil(() => world.getRuns(["wrun_1"]).catch(() => false), 10_000);

  const { runs } = await world.claim(claiming({ now: EXPIRED }));
  expect(runs.map(({ run, events, damage }) => [run.runId, events.length, damage?.message ?? null])).toEqual(
    ids.map((runId) =>
      runId === "wrun_3"
        ? [runId, 0, expect.stringMatching(/^Run "wrun_3" cannot be read: .* reports damaged data/)]
        : [runId, 1, null],
    ),
  );
}, 60_000);
