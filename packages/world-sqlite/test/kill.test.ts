import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { scriptsIn } from "@perdure/testbed/processes";
import { NOW, newRun, WORKFLOW } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

const start = scriptsIn(join(import.meta.dirname, "processes"));

const RUNS = 20;
const KILLS = 8;

test("kill -9 in the middle of commits: whole journals, and nothing acknowledged is lost", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  const runIds = Array.from({ length: RUNS }, (_, index) => `wrun_${String(index).padStart(2, "0")}`);
  await world.createRuns(
    runIds.map((runId) => newRun(runId)),
    NOW,
  );

  for (let kill = 1; kill <= KILLS; kill++) {
    const before = await world.getRuns(runIds);
    // Each process finds the leases of the one before expired.
    const committer = start("committer", path, WORKFLOW, NOW + kill * 60_000);
    await committer.line((line) => line === `claimed ${RUNS}`);
    const firstSeq = before[0]?.seq ?? 0;
    await committer.line((line) => line === `acknowledged ${runIds[0]} ${firstSeq + 2 * kill}`);
    await committer.kill();

    const acknowledged = new Map(
      committer.lines.map((line) => line.split(" ")).map(([, runId = "", seq]) => [runId, Number(seq)]),
    );
    const database = new DatabaseSync(path);
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    database.close();
    const rows = await world.getRuns(runIds);
    // A batch is one transaction: it is in for every run or for none.
    expect(new Set(rows.map((row) => row?.seq)).size).toBe(1);
    for (const row of rows) {
      if (row === null) throw new Error("a run is gone");
      expect(row.seq).toBeGreaterThanOrEqual(acknowledged.get(row.runId) ?? 0);
      expect(row.epoch).toBe(kill);
      const journal = await world.listEvents(row.runId, 0, 1_000_000);
      expect(journal.map(({ seq }) => seq)).toEqual(Array.from({ length: row.seq }, (_, index) => index + 1));
      expect(journal.at(-1)?.type).toBe("step_created");
    }
  }
}, 60_000);
