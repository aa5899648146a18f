import {
  acquireLock,
  createHook,
  FatalError,
  getWritable,
  RetryableError,
  setAttributes,
  setState,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { start } from "@perdure/core/api";
import { createWorker } from "@perdure/core/runtime";
import { deploy, MemoryState, memoryWorld } from "@perdure/core/testing";
import type {
  BulkResult,
  Charts,
  Counts,
  HookPage,
  JournalPage,
  KeyPage,
  LockList,
  RunDetail,
  RunPage,
  RunTree,
  SearchResult,
  ValueView,
  WorkerList,
} from "@perdure/dashboard";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventsOf, eventUntil, type House, house, ORIGIN, until } from "./house.ts";

// The JSON API on the World in memory, with a worker that executes real workflows.

const work = step("work", async function works(n: number) {
  if (n < 0) throw new FatalError("less than nothing");
  return n + 1;
});
const adds = workflow("adds", async (n: number) => await work(n));
const waits = workflow("waits", async (token: string) => {
  await setAttributes({ customer: "cus_1" });
  setState({ waitsFor: token });
  using hook = createHook<{ yes: boolean }>({ token, metadata: { about: "a test" } });
  return (await hook).yes;
});
const sleeps = workflow("sleeps", async () => {
  await sleep("1 day");
  return "awake";
});

const changes = workflow("changes", async () => await sleep("1 day"));

async function ended({ get }: House, runId: string): Promise<RunDetail> {
  return await until(
    () => get<RunDetail>(`api/runs/${runId}`),
    ({ run }) => run.completedAt !== null,
  );
}

async function waiting({ get }: House, runId: string): Promise<RunDetail> {
  return await until(
    () => get<RunDetail>(`api/runs/${runId}`),
    ({ timeline, run }) => run.owner === null && timeline.some(({ outcome }) => outcome === "open"),
  );
}

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

describe("a run", () => {
  it("shows its steps with queue and execution, attempts, and errors at the user's own place", async () => {
    const home = await house();
    let tries = 0;
    const flaky = step("flaky", async (what: string) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (++tries < 2) throw new RetryableError(`not yet ${what}`, { retryAfter: 1 });
      return { done: what };
    });
    const flow = workflow("shown", async (what: string) => {
      await flaky(what);
      await work(-1);
    });
    const run = await home.begin(flow, ["this"], { idempotencyKey: "k" });
    const { timeline, error, args, result, run: row, argsSeq } = await ended(home, run.runId);
    expect(row).toMatchObject({ status: "failed", key: "k", name: "shown", owner: null });
    expect(args).toMatchObject({
      value: { type: "array", items: ["this"], length: 1 },
      cut: false,
      unreadable: null,
    });
    expect([result, argsSeq]).toEqual([null, 1]);
    const [first, second] = timeline;
    expect(first).toMatchObject({ kind: "step", label: "flaky", outcome: "completed", input: "[ 'this' ]" });
    expect(first?.attempts).toMatchObject([
      { attempt: 1, outcome: "error", error: { name: "RetryableError", message: "not yet this" } },
      { attempt: 2, outcome: "completed", error: null },
    ]);
    for (const { startedAt, endedAt } of first?.attempts ?? []) {
      expect((endedAt as number) - (startedAt as number)).toBeGreaterThanOrEqual(15);
    }
    expect(first?.startedAt).toBe(first?.attempts[0]?.startedAt);
    expect(second).toMatchObject({
      outcome: "failed",
      error: { name: "FatalError", message: "less than nothing" },
    });
    expect(error?.message).toBe("less than nothing");
    const own = error?.frames.find((frame) => frame.own);
    expect(own).toMatchObject({
      file: expect.stringMatching(/runs\.test\.ts$/),
      function: expect.stringContaining("work"),
    });
    expect(
      error?.frames.filter(({ file }) => file?.includes("/packages/core/src/")).every(({ own }) => !own),
    ).toBe(true);
  });

  it("shows hooks, state, sleeps, locks, children and streams", async () => {
    const home = await house();
    const { get, begin } = home;
    const says = step("says", async () => {
      const writer = getWritable<string>({ namespace: "log" }).getWriter();
      await writer.write("one");
      await writer.write("two");
      await writer.close();
    });
    const parent = workflow("parent", async () => {
      await using _lock = await acquireLock("the door", { limit: 1 });
      await says();
      const child = await start(waits, ["of the child"]);
      await Promise.all([sleep("1 hour"), child.returnValue]);
    });
    const { runId } = await begin(parent);
    const detail = await until(
      () => get<RunDetail>(`api/runs/${runId}`),
      ({ children, locks, timeline }) =>
        children.length === 1 && locks.length === 1 && timeline.some(({ kind }) => kind === "wait"),
    );
    expect(detail.streams).toEqual(["log"]);
    expect(detail.locks).toMatchObject([{ key: "the door", limit: 1, holders: [{ runId }], waiting: 0 }]);
    expect(await get<LockList>("api/locks")).toMatchObject({ locks: [{ key: "the door" }] });
    const wait = detail.timeline.find(({ kind }) => kind === "wait");
    expect((wait?.until as number) - (wait?.createdAt as number)).toBeGreaterThan(3_500_000);
    const child = detail.children[0]?.runId as string;
    const below = await waiting(home, child);
    expect(below.hooks).toMatchObject([
      { token: "of the child", webhook: false, metadata: { type: "object" } },
    ]);
    expect(below.state).toMatchObject({ value: { type: "object", entries: [["waitsFor", "of the child"]] } });
    expect(below.run).toMatchObject({ parent: runId, attributes: { customer: "cus_1" } });
    expect(await get<HookPage>("api/hooks")).toMatchObject({ hooks: [{ runId: child }], cursor: null });
    const tree = await get<RunTree>(`api/runs/${child}/tree`);
    expect([tree.ancestors.map((run) => run.runId), tree.root.children]).toEqual([[runId], []]);
    expect((await get<RunTree>(`api/runs/${runId}/tree`)).root).toMatchObject({
      run: { runId },
      children: [{ run: { runId: child }, children: [], more: false }],
      more: false,
    });
    const stream = await home.dashboard(new Request(`${ORIGIN}/ops/api/runs/${runId}/stream?namespace=log`));
    const chunks = [];
    for await (const { event, data, id } of eventsOf(stream))
      chunks.push([event, id, (data as { value?: unknown } | null)?.value]);
    expect(chunks).toEqual([
      ["chunk", "0", "one"],
      ["chunk", "1", "two"],
      ["end", null, undefined],
    ]);
  });

  it("is told of as it changes", async () => {
    const home = await house();
    const run = await home.begin(waits, ["soon"]);
    await waiting(home, run.runId);
    const live = await home.dashboard(new Request(`${ORIGIN}/ops/api/live/runs/${run.runId}`));
    const done = eventUntil(
      live,
      ({ event, data }) => event === "run" && (data as { status: string }).status === "completed",
    );
    await home.post("api/hooks/deliver", { token: "soon", payload: { yes: true } });
    expect(await done).toMatchObject({ runId: run.runId, completedAt: expect.any(Number) });
    const again = await home.dashboard(new Request(`${ORIGIN}/ops/api/live/runs/${run.runId}`));
    const gone = eventUntil(again, ({ event }) => event === "gone");
    await home.post(`api/runs/${run.runId}/delete`, {});
    expect(await gone).toBe(null);
  });

  it("pages through a long journal, and keeps what it has read of it", async () => {
    const home = await house();
    const flow = workflow("long", async () => {
      for (let batch = 0; batch < 10; batch++)
        await Promise.all(Array.from({ length: 30 }, (_, n) => work(n)));
      await sleep("1 day");
    });
    const { runId } = await home.begin(flow);
    const { timeline, timelineUntil } = await until(
      () => home.get<RunDetail>(`api/runs/${runId}`),
      (detail) => detail.timeline.some(({ kind }) => kind === "wait"),
    );
    expect([timeline.length, timelineUntil]).toEqual([301, null]);
    const last = timeline.at(-1)?.seq as number;
    const since = await home.get<RunDetail>(`api/runs/${runId}?since=${last - 1}`);
    expect(since.timeline.map(({ kind }) => kind)).toEqual(["wait"]);
    const seqs: number[] = [];
    for (let after = 0; ; ) {
      const page = await home.get<JournalPage>(`api/runs/${runId}/journal?after=${after}&limit=250`);
      seqs.push(...page.events.map(({ seq }) => seq));
      after = page.events.at(-1)?.seq ?? page.lastSeq;
      if (after >= page.lastSeq) break;
    }
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => at + 1));
    await home.post(`api/runs/${runId}/wake`, {});
    const woken = await ended(home, runId);
    expect(woken.timeline.at(-1)).toMatchObject({ kind: "wait", outcome: "completed" });
  });

  it("shows where the code and the journal part", async () => {
    const home = await house();
    const { runId } = await home.begin(changes);
    await waiting(home, runId);
    await home.worker?.close();
    deploy();
    workflow("changes", async () => await work(1));
    await home.post(`api/runs/${runId}/wake`, {});
    const worker = createWorker({ world: home.world, logger: "silent" });
    await worker.start();
    onTestFinished(() => worker.close());
    const { divergence, error } = await until(
      () => home.get<RunDetail>(`api/runs/${runId}`),
      ({ run }) => run.status === "diverged",
    );
    expect(divergence).toMatchObject({
      seq: 3,
      journal: expect.stringContaining("wait_created"),
      code: expect.stringContaining("work"),
    });
    expect(error).toMatchObject({ name: "ReplayDivergenceError", message: divergence?.message });
  });

  it("is 404 where there is none", async () => {
    const { dashboard, send } = await house();
    for (const path of ["", "/journal", "/value?of=state", "/tree"]) {
      const answer = await dashboard(new Request(`${ORIGIN}/ops/api/runs/wrun_none${path}`));
      expect([path, answer.status]).toEqual([path, 404]);
    }
    for (const act of ["cancel", "retry", "wake", "delete", "again", "burn"]) {
      expect([act, (await send(`api/runs/wrun_none/${act}`, {})).status]).toEqual([act, 404]);
    }
    expect((await send("api/hooks/deliver", { token: "none" })).status).toBe(404);
  });
});

describe("acts", () => {
  it("start, cancel, terminate, retry, fork, wake, deliver and delete", async () => {
    const home = await house();
    const { post, begin, send } = home;
    const done = async (path: string, body: unknown): Promise<string> =>
      (await post<{ runId: string; said: string }>(path, body)).runId;

    const started = await done("api/runs", {
      workflow: "adds",
      args: [1],
      key: "once",
      attributes: { from: "here" },
    });
    expect(await done("api/runs", { workflow: "adds", args: [1], key: "once" })).toBe(started);
    expect((await send("api/runs", { workflow: "adds", args: [2], key: "once" })).status).toBe(409);
    expect((await ended(home, started)).result).toMatchObject({ value: 2 });

    const again = await ended(home, await done(`api/runs/${started}/again`, {}));
    expect(again).toMatchObject({ result: { value: 2 }, run: { key: null, attributes: { from: "here" } } });
    expect(again.run.runId).not.toBe(started);
    expect((await ended(home, await done(`api/runs/${started}/again`, { args: [7] }))).result).toMatchObject({
      value: 8,
    });

    const asleep = await begin(sleeps);
    await waiting(home, asleep.runId);
    expect(await post(`api/runs/${asleep.runId}/wake`, {})).toMatchObject({ said: "1 sleep ended." });
    expect((await ended(home, asleep.runId)).result).toMatchObject({ value: "awake" });

    const cancelled = await begin(sleeps);
    await waiting(home, cancelled.runId);
    await done(`api/runs/${cancelled.runId}/cancel`, { reason: "no more" });
    expect(await ended(home, cancelled.runId)).toMatchObject({
      run: { status: "cancelled" },
      error: { message: expect.stringContaining("no more") },
    });
    const ending = await begin(sleeps);
    await waiting(home, ending.runId);
    await done(`api/runs/${ending.runId}/terminate`, {});
    expect(await ended(home, ending.runId)).toMatchObject({ run: { status: "cancelled" } });

    const failed = await begin(adds, [-1]);
    const before = await ended(home, failed.runId);
    const retried = await done(`api/runs/${failed.runId}/retry`, { keys: "new" });
    expect(await ended(home, retried)).toMatchObject({ run: { status: "failed" }, origin: failed.runId });
    expect((await home.get<RunDetail>(`api/runs/${failed.runId}`)).successor).toBe(retried);
    const forked = await done(`api/runs/${failed.runId}/fork`, {
      fromStep: before.timeline[0]?.id,
      args: [4],
    });
    expect(await ended(home, forked)).toMatchObject({ result: { value: 5 }, origin: failed.runId });
    expect((await send(`api/runs/${failed.runId}/fork`, { fromStep: "step_none" })).status).toBe(409);
    expect((await send(`api/runs/${failed.runId}/fork`, {})).status).toBe(400);

    await until(
      () => send(`api/runs/${ending.runId}/delete`, {}),
      ({ status }) => status === 200,
    );
    expect((await send(`api/runs/${ending.runId}/delete`, {})).status).toBe(404);
    const busy = await begin(sleeps);
    expect((await send(`api/runs/${busy.runId}/delete`, {})).status).toBe(409);
  });

  it("are done to all that a filter chooses, page by page, and say what was done", async () => {
    const home = await house();
    const { begin, get, post } = home;
    for (let n = 0; n < 5; n++) await begin(sleeps, [], { attributes: { batch: "a" } });
    await begin(sleeps, [], { attributes: { batch: "b" } });
    const filter = "attribute=batch%3Da";
    let done = 0;
    let cursor: string | null = null;
    do {
      const result: BulkResult = await post("api/bulk", { act: "cancel", filter, limit: 2, cursor });
      expect(result.failed).toEqual([]);
      done += result.done;
      cursor = result.cursor;
    } while (cursor !== null);
    expect(done).toBe(5);
    const { counts } = await until(
      () => get<Counts>("api/counts"),
      ({ counts }) => counts.cancelled === 5,
    );
    expect(counts.pending + counts.running).toBe(1);
    const left = await post<BulkResult>("api/bulk", { act: "delete", filter: "" });
    expect(left.done + left.failed.length).toBe(5);
  });

  it("retry no run that a retry of the same page made", async () => {
    const home = await house();
    for (let n = 0; n < 3; n++) await ended(home, (await home.begin(adds, [-1])).runId);
    let done = 0;
    let cursor: string | null = null;
    do {
      const result: BulkResult = await home.post("api/bulk", {
        act: "retry",
        filter: "workflow=adds",
        limit: 1,
        cursor,
      });
      done += result.done;
      cursor = result.cursor;
      await until(
        () => home.get<Counts>("api/counts"),
        ({ counts }) => counts.pending + counts.running === 0,
      );
    } while (cursor !== null);
    expect(done).toBe(3);
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

it("shows that values are encrypted where their key is not here, and all the rest", async () => {
  const state = new MemoryState();
  const worker = createWorker({
    world: memoryWorld({ state }),
    logger: "silent",
    encryption: { keys: { k1: new Uint8Array(32) } },
  });
  await worker.start();
  onTestFinished(() => worker.close());
  const home = await house({ world: memoryWorld({ state }), worker: false });
  const elsewhere = memoryWorld({ state });
  const begun = await start(adds, [-1], { world: elsewhere });
  const { run, error, timeline } = await ended(home, begun.runId);
  const sealed = expect.stringContaining('encrypted with the key "k1"');
  expect(run).toMatchObject({ status: "failed", name: "adds" });
  expect(error).toMatchObject({ message: sealed });
  expect(timeline).toMatchObject([
    { label: "work", outcome: "failed", startedAt: expect.any(Number), output: sealed },
  ]);
  const { events } = await home.get<JournalPage>(`api/runs/${begun.runId}/journal`);
  const failure = events.find(({ type }) => type === "step_failed");
  expect(failure).toMatchObject({ text: sealed, unreadable: expect.any(String) });
  const value = await home.get<ValueView>(
    `api/runs/${begun.runId}/value?of=event&seq=${failure?.seq}&path=["message"]`,
  );
  expect(value).toMatchObject({ value: { type: "other", text: sealed }, unreadable: expect.any(String) });
  expect((await home.get<WorkerList>("api/workers")).workers).toBeInstanceOf(Array);
});

it("gives a large value part by part, or whole", async () => {
  const home = await house();
  const large = {
    items: Array.from({ length: 20_000 }, (_, n) => ({ n, text: `item ${n}` })),
    map: new Map([["k", new Date(0)]]),
  };
  const { runId } = await home.begin(sleeps, [large] as never);
  const detail = await home.get<RunDetail>(`api/runs/${runId}`);
  expect(detail.args.cut).toBe(true);
  expect(JSON.stringify(detail.args.value).length).toBeLessThan(100_000);
  const part = await home.get<ValueView>(
    `api/runs/${runId}/value?of=event&seq=1&path=${encodeURIComponent('[0,"items"]')}&offset=19990`,
  );
  expect(part.value).toMatchObject({ type: "array", length: 20_000 });
  expect((part.value as unknown as { items: unknown[] }).items).toHaveLength(10);
  const whole = await home.get<ValueView>(`api/runs/${runId}/value?of=event&seq=1&size=all`);
  expect(whole.cut).toBe(false);
  expect(JSON.stringify(whole.value)).toContain("item 19999");
  const date = await home.get<ValueView>(
    `api/runs/${runId}/value?of=event&seq=1&path=${encodeURIComponent('[0,"map",0]')}`,
  );
  expect(date.value).toEqual({ type: "date", at: 0 });
});
