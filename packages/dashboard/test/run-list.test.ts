import type { RunPage, RunRow } from "@perdure/dashboard";
import { expect, test } from "vitest";
import { RunList } from "../src/page/runs/run-list.ts";

// The rows of a list below the first page, as the page in the browser keeps them.

/** A store of runs, the newest first. */
function pageOf(runs: readonly RunRow[], from: number): RunPage {
  const page = runs.slice(from, from + 100);
  const cursor = from + 100 < runs.length ? (page.at(-1)?.runId ?? null) : null;
  return { runs: page, damaged: [], cursor } as RunPage;
}

function run(n: number, status = "running"): RunRow {
  return { runId: `wrun_${String(n).padStart(4, "0")}`, createdAt: n, status } as RunRow;
}

test("rows below the first page that are seen are asked for again, the others stay", async () => {
  const runs = Array.from({ length: 350 }, (_, n) => run(1_000 - n));
  const asked: string[] = [];
  const list = new RunList(async (cursor) => {
    asked.push(cursor);
    return pageOf(
      runs,
      runs.findIndex(({ runId }) => runId < cursor),
    );
  });
  list.firstPage(pageOf(runs, 0));
  for (let pages = 0; pages < 4; pages++) await list.more();
  expect(list.rows.value?.map(({ runId }) => runId)).toEqual(runs.map(({ runId }) => runId));

  asked.length = 0;
  list.look(0, 30);
  await list.refresh();
  expect(asked).toEqual([]);

  // One of those that are seen ends, one is gone, and one that nobody sees ends, too.
  runs[250] = run(750, "completed");
  runs[320] = run(680, "completed");
  runs.splice(260, 1);
  list.look(240, 270);
  await list.refresh();
  expect(asked).toHaveLength(1);
  const rows = list.rows.value ?? [];
  expect(rows.map(({ runId }) => runId)).toEqual(runs.map(({ runId }) => runId));
  expect(rows.filter(({ status }) => status === "completed").map(({ createdAt }) => createdAt)).toEqual([
    750,
  ]);

  // New runs on top push the others down.
  runs.unshift(run(1_001));
  list.firstPage(pageOf(runs, 0));
  list.look(310, 340);
  await list.refresh();
  expect(list.rows.value?.map(({ status }) => status)).toEqual(runs.map(({ status }) => status));
});
