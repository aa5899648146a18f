import type { Hint, World } from "@perdure/core/world";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, onTestFinished, test, vi } from "vitest";
import { openWorld, serverUrl, superuser, temporarySchema } from "./store.ts";

/** A World that listens, and the channel on which it does. */
async function listening(): Promise<{ world: World; hints: Hint[]; channel: string; schema: string }> {
  const schema = temporarySchema();
  const url = `${await serverUrl()}?application_name=${schema}`;
  const world = await openWorld({ url, schema });
  const hints: Hint[] = [];
  world.subscribe((hint) => hints.push(hint));
  await vi.waitUntil(() => hints.length > 0, 10_000);
  const { rows } = await (await superuser()).query(
    "SELECT query FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'",
    [schema],
  );
  return { world, hints, schema, channel: /"(.*)"/.exec(rows[0].query)?.[1] ?? "" };
}

// A role without any grant on the schema may notify: whoever may connect to the database.
test("whatever anybody notifies, nothing ends and true hints are heard", async () => {
  const { hints, channel, schema } = await listening();
  const admin = await superuser();
  const user = `user_${crypto.randomUUID().slice(0, 8)}`;
  await admin.query(`CREATE ROLE ${user}`);
  onTestFinished(async () => void (await admin.query(`DROP ROLE ${user}`)));
  const garbage = [
    ...["", "null", "x", "[]", "{}", "0", '"due"', "x\nnull", "x\n[null]", 'x\n{"type":7}', "\n\n\n"],
    ...['x\n{"type":"mail"}', 'x\n{"type":"mail","runId":{}}', 'x\n{"type":"__proto__"}', "x".repeat(7_999)],
    `x\n${"[".repeat(7_900)}`,
  ];
  const client = await admin.connect();
  try {
    await client.query(`SET ROLE ${user}`);
    for (const payload of garbage) await client.query("SELECT pg_notify($1, $2)", [channel, payload]);
    await client.query("SELECT pg_notify($1, $2)", [channel, 'x\n{"type":"finished","runId":"last"}']);
  } finally {
    await client.query("RESET ROLE");
    client.release();
  }
  await vi.waitUntil(() => hints.some((hint) => "runId" in hint && hint.runId === "last"), 10_000);
  // The first one is the subscription's own.
  expect(hints.slice(1)).toEqual([{ type: "finished", runId: "last" }]);

  const other = await openWorld({ url: await serverUrl(), schema });
  await other.createRuns([newRun("wrun_1")], NOW);
  await vi.waitUntil(() => hints.some(({ type }) => type === "due"), 10_000);
});

test("more hints than one notification can carry are one: that something changed", async () => {
  const { hints, schema } = await listening();
  const other = await openWorld({ url: await serverUrl(), schema });
  const runs = Array.from({ length: 300 }, (_, index) => newRun(`wrun_${String(index).padStart(26, "0")}`));
  await other.createRuns(runs, NOW);
  await other.deliver(
    runs.map(({ runId }) => ({ messageId: runId, to: { runId }, type: "wake", at: NOW, data: null })),
    NOW,
  );
  await vi.waitUntil(() => hints.filter(({ type }) => type === "changed").length > 1, 10_000);
});
