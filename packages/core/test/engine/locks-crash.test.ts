import { acquireLock, sleep, step, workflow } from "@perdure/core";
import { expect, it } from "vitest";
import { cluster, gate } from "./cluster.ts";

/** Calls of the World that locks are made of. */
const CALLS = /^(deliver|readRecords|writeRecords|listRecords)/;

/** What happens to the first worker at its `at`-th call. */
type Fate = "dies" | "stands still";

/**
 * Four runs want one lock: two get it, one gives up, one is cancelled while it waits. At a call of its the first worker dies, or
 * stands still until the second one has done everything. False if there was no such call.
 */
async function contention(fate: Fate, at: number): Promise<boolean> {
  const c = cluster();
  const thaw = gate();
  const order: string[] = [];
  const fences: [string, number][] = [];
  const enter = step("enter", async (who: string, fence: number) => {
    order.push(who);
    fences.push([who, fence]);
  });
  const leave = step("leave", async (who: string) => void order.push(who));
  const holds = workflow("holds", async (who: string, timeout: number | undefined) => {
    try {
      await using lock = await acquireLock("k", timeout === undefined ? {} : { timeout });
      await enter(who, lock.fence);
      await sleep(1_000);
      await leave(who);
      return "had it";
    } catch {
      return "gave up";
    }
  });
  const former = await c.process();
  let calls = 0;
  let struck = false;
  former.fault((operation) => {
    if (struck) return thaw.promise;
    if (!CALLS.test(operation) || ++calls !== at) return;
    struck = true;
    if (fate === "dies") former.kill();
    return thaw.promise;
  });
  const runs = [];
  for (const [who, timeout] of [["a"], ["late", 500], ["cancelled"], ["b"]] as const) {
    runs.push(await c.client.start(holds, [who, timeout]));
    await c.settle();
  }
  await runs[2]?.cancel();
  if (!struck) await c.clock.advance(2_500);
  await c.process();
  const ends = await c.until(Promise.all(runs.map((run) => run.returnValue.catch(() => "cancelled"))));
  expect(ends.filter((end) => end === "had it").length).toBeGreaterThanOrEqual(2);
  await c.clock.advance(20_000);
  if (fate === "stands still") {
    thaw.open();
    await c.settle();
    await c.clock.advance(20_000);
  }
  // One after the other: nobody comes in between what another one does.
  const owners = order.filter((who, index) => who !== order[index - 1]);
  expect(owners).toEqual([...new Set(order)]);
  // The same grant is seen with the same fence, and later ones with higher ones.
  const grants = [...new Map(fences.map(([who, fence]) => [`${who} ${fence}`, fence])).values()];
  expect(grants).toEqual([...grants].sort((x, y) => x - y));
  expect(new Set(fences.map(([who]) => who)).size).toBe(grants.length);
  const freeAgain = await c.client.start(holds, ["afterwards", 0]);
  expect(await c.until(freeAgain.returnValue)).toBe("had it");
  const records = [...c.state.records.keys("lock")].filter((key) => c.state.records.get(key, c.clock.now()));
  expect(records.filter((key) => key.startsWith("lock-wait"))).toEqual([]);
  return struck;
}

it.each(["dies", "stands still"] as const)(
  "holds at every call at which a worker %s",
  async (fate) => {
    let at = 1;
    while (await contention(fate, at)) at++;
    expect(at).toBeGreaterThan(30);
  },
  120_000,
);
