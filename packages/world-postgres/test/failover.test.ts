import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { promisify } from "node:util";
import { type PostgresServer, startPostgres } from "@perdure/testbed/postgres";
import { claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { openWorld } from "./store.ts";

const run = promisify(execFile);

// What an asynchronous standby has that takes over: all that was acknowledged until a moment, and nothing after it.
async function copyOf(server: PostgresServer): Promise<{ takesOver(): Promise<void> }> {
  const client = new pg.Client(server.url);
  await client.connect();
  const { rows } = await client.query("SELECT current_setting('data_directory') AS folder");
  await client.end();
  const folder: string = rows[0].folder;
  await server.crash();
  await run("cp", ["-a", folder, `${folder}-standby`]);
  await server.restart();
  return {
    async takesOver() {
      await server.crash();
      rmSync(folder, { recursive: true });
      await run("mv", [`${folder}-standby`, folder]);
      await server.restart();
    },
  };
}

test("a fail-over that loses an acknowledged claim: of two owners of one epoch the first is fenced", async () => {
  const server = await startPostgres({ fsync: false });
  onTestFinished(() => server.stop());
  const world = await openWorld({ url: server.url });
  const back = () => vi.waitUntil(() => world.getRuns(["wrun_1"]).catch(() => false), 10_000);
  const ids = ["wrun_1", "wrun_2", "wrun_3"];
  await world.createRuns(
    ids.map((runId) => newRun(runId)),
    NOW,
  );
  const standby = await copyOf(server);
  await back();
  const claimed = await world.claim(claiming({ owner: "alice", claimId: "alice's" }));
  expect(claimed.runs.map(({ run }) => run.epoch)).toEqual([1, 1, 1]);
  await standby.takesOver();
  await back();
  const again = await world.claim(claiming({ owner: "bob", claimId: "bob's" }));
  expect(again.runs.map(({ run }) => run.epoch)).toEqual([1, 1, 1]);

  const [alice, bob] = ["alice's", "bob's"].map((claimId) => (runId: string, seq: number, what: string) => ({
    ...hold(runId, seq, [event("step_created", what), event("step_completed", what)]),
    claimId,
  }));
  if (alice === undefined || bob === undefined) throw new Error("there are two");
  const step = async (commit: ReturnType<typeof alice>) => (await world.commit([commit], NOW))[0]?.outcome;
  // Alone and in a batch, before the other has written, and when it has written as many events.
  expect(await step(alice("wrun_1", 1, "a"))).toBe("fenced");
  expect(await step(bob("wrun_1", 1, "b"))).toBe("committed");
  expect(await step(alice("wrun_1", 1, "a"))).toBe("fenced");
  const batch = (of: typeof alice) => world.commit([of("wrun_2", 1, "x"), of("wrun_3", 1, "x")], NOW);
  expect(await batch(bob)).toMatchObject([{ outcome: "committed" }, { outcome: "committed" }]);
  expect(await batch(alice)).toEqual([{ outcome: "fenced" }, { outcome: "fenced" }]);
  const parked = { ...bob("wrun_2", 3, "y"), lease: { type: "park", dueAt: null } as const };
  expect(await step(parked)).toBe("committed");
  expect(await step({ ...parked, claimId: "alice's" })).toBe("fenced");
  const leases = ["alice's", "bob's"].map((claimId) => ({ runId: "wrun_1", epoch: 1, claimId }));
  expect(await world.renew({ leases, ttl: 60_000, now: NOW })).toMatchObject([
    { outcome: "lost" },
    { outcome: "renewed" },
  ]);
  expect((await world.listEvents("wrun_1", 1, 10)).map(({ id }) => id)).toEqual(["b", "b"]);
}, 60_000);
