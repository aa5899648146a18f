/**
 * `committer <path> <workflow> <now>`: claims every run that is due and commits two events to each of them, batch after
 * batch, until it is killed. Prints `acknowledged <run id> <seq>` for what the World has acknowledged.
 */
import type { RunCommit } from "@perdure/core/world";
import { sqliteWorld } from "../../src/index.ts";

const [path = "", workflow = "", now = ""] = process.argv.slice(2);
const at = Number(now);

const claimId = String(process.pid);
const world = sqliteWorld({ path, clock: "caller" });
await world.open();
const { runs } = await world.claim({
  queues: [workflow],
  limit: 100,
  byteLimit: 1_000_000_000,
  owner: claimId,
  claimId,
  ttl: 30_000,
  now: at,
  cached: new Map(),
  eventLimit: 1,
});
const held = runs.map(({ run }) => ({ runId: run.runId, epoch: run.epoch, seq: run.seq }));
console.log(`claimed ${held.length}`);
for (let round = 0; ; round++) {
  const batch = held.map(({ runId, epoch, seq }): RunCommit => {
    const data = new Uint8Array(1 + ((round * 37) % 3_000)).fill(round);
    return {
      runId,
      epoch,
      claimId,
      seq,
      events: [
        { type: "step_completed", at, id: `step-${seq + 1}`, name: null, data },
        { type: "step_created", at, id: `step-${seq + 2}`, name: "step//./test//next", data },
      ],
      mailDone: 0,
      run: { status: "running" },
      lease: { type: "hold", ttl: 30_000 },
    };
  });
  const results = await world.commit(batch, at);
  for (const [index, result] of results.entries()) {
    const run = held[index];
    if (run === undefined || result.outcome !== "committed") throw new Error(JSON.stringify(result));
    run.seq += 2;
  }
  console.log(held.map(({ runId, seq }) => `acknowledged ${runId} ${seq}`).join("\n"));
  // Lets the lines out.
  await new Promise((resolve) => setImmediate(resolve));
}
