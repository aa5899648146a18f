import type { Charts, Counts, KeyPage, RunPage, SearchResult, WorkerList } from "@perdure/dashboard";
import { describe, expect, it } from "vitest";
import { adds, sleeps, waiting, waits } from "./flows.ts";
import { eventsOf, house, ORIGIN, until } from "./house.ts";

// Lists of the JSON API, on the World in memory, with a worker that executes real workflows.

describe("lists", () => {
  it("pages through the runs that fit, and counts them", async () => {
    const home = await house();
    const { get, begin } = home;
    for (let n = 0; n < 5; n++)
      await (await begin(adds, [n], { attributes: { odd: String(n % 2) } })).returnValue;
    const bad = await begin(adds, [-1]);
    await bad.returnValue.catch(() => {});
    const asleep = await begin(sleeps);
    await waiting(home, asleep.runId);
    const first = await get<RunPage>("api/runs?limit=4");
    const second = await get<RunPage>(`api/runs?limit=4&cursor=${encodeURIComponent(first.cursor ?? "")}`);
    expect([first.runs.length, second.runs.length]).toEqual([4, 3]);
    expect(first.runs[0]).toMatchObject({
      runId: asleep.runId,
      status: "running",
      name: "sleeps",
      owner: null,
    });
    const ids = async (query: string): Promise<string[]> =>
      (await get<RunPage>(`api/runs?${query}`)).runs.map(({ runId }) => runId);
    expect(await ids("status=failed")).toEqual([bad.runId]);
    expect(await ids("status=failed&status=running")).toEqual([asleep.runId, bad.runId]);
    expect(await ids("workflow=sleeps")).toEqual([asleep.runId]);
    expect(await ids("attribute=odd%3D1")).toHaveLength(2);
    expect(await ids("attribute=odd%3D1&status=failed")).toEqual([]);
    expect(await ids(`from=${first.runs[0]?.createdAt}&workflow=adds`)).toEqual(
      (await ids("workflow=adds")).filter((id) => id > asleep.runId),
    );
    expect(await get<Counts>("api/counts")).toMatchObject({
      counts: { completed: 5, failed: 1, running: 1, pending: 0, diverged: 0, cancelled: 0 },
    });
    expect(await get<Counts>("api/counts?workflow=adds&status=failed")).toMatchObject({
      counts: { completed: 5, failed: 1, running: 0 },
    });
  });

  it("finds runs by id, key, token, attribute and workflow", async () => {
    const home = await house();
    const { get, begin } = home;
    const keyed = await begin(adds, [1], { idempotencyKey: "invoice_17" });
    await keyed.returnValue;
    const hooked = await begin(waits, ["approval_9"]);
    await waiting(home, hooked.runId);
    const find = async (q: string): Promise<[string, string][]> => {
      const { runs, by } = await get<SearchResult>(`api/search?q=${encodeURIComponent(q)}`);
      return runs.map(({ runId }, index) => [runId, by[index] as string]);
    };
    expect(await find(keyed.runId)).toEqual([[keyed.runId, "id"]]);
    expect(await find(keyed.runId.slice(0, 24))).toContainEqual([keyed.runId, "id"]);
    expect(await find("invoice_17")).toEqual([[keyed.runId, "key"]]);
    expect(await find("approval_9")).toEqual([[hooked.runId, "token"]]);
    expect(await find("customer=cus_1")).toEqual([[hooked.runId, "attribute"]]);
    expect(await find("wait")).toEqual([[hooked.runId, "workflow"]]);
    expect(await find("nothing of the kind")).toEqual([]);
    expect(await find("wrun_%00")).toEqual([]);
  });

  it("tells of the list as it changes, and of no change twice", async () => {
    const { dashboard, begin, get } = await house();
    const answer = await dashboard(new Request(`${ORIGIN}/ops/api/live/runs?workflow=adds`));
    const pages: RunPage[] = [];
    for await (const { event, data } of eventsOf(answer)) {
      if (event !== "page") continue;
      if (pages.push(data as RunPage) === 1) await begin(adds, [1]);
      if (pages.at(-1)?.runs[0]?.status === "completed") break;
    }
    expect(pages[0]).toEqual({ runs: [], damaged: [], cursor: null });
    const texts = pages.map((page) => JSON.stringify(page));
    expect(new Set(texts).size).toBe(texts.length);
    expect((await get<RunPage>("api/runs?workflow=adds")).runs).toEqual(pages.at(-1)?.runs);
  });
});

it("lists keys, workers and charts", async () => {
  const home = await house();
  for (let n = 0; n < 3; n++) await (await home.begin(adds, [n], { idempotencyKey: `key ${n}` })).returnValue;
  await (await home.begin(adds, [-1])).returnValue.catch(() => {});
  const keys = await home.get<KeyPage>("api/keys?limit=2");
  expect(keys.keys).toMatchObject([{ key: "key 0", name: "adds" }, { key: "key 1" }]);
  expect(
    (await home.get<KeyPage>(`api/keys?cursor=${encodeURIComponent(keys.cursor ?? "")}`)).keys,
  ).toHaveLength(1);
  const { workers } = await until(
    () => home.get<WorkerList>("api/workers"),
    ({ workers }) => workers.length > 0,
  );
  expect(workers[0]).toMatchObject({ ok: true, workflows: expect.arrayContaining(["adds"]), lag: null });
  const charts = await home.get<Charts>("api/charts?range=30m");
  expect(charts).toMatchObject({
    estimated: false,
    step: 30_000,
    now: { counts: { failed: 1, pending: 0 } },
  });
  expect([charts.completed.at(-1), charts.failed.at(-1), charts.cancelled.at(-1)]).toEqual([3, 1, 0]);
  expect(charts.tookP50.at(-1)).toEqual(expect.any(Number));
  expect((await home.get<Charts>("api/charts?range=30m&workflow=sleeps")).completed.at(-1)).toBe(0);
});
