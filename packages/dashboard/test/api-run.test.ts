import { acquireLock, getWritable, RetryableError, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { createWorker } from "@perdure/core/runtime";
import { deploy, MemoryState, memoryWorld } from "@perdure/core/testing";
import type {
  HookPage,
  JournalPage,
  LockList,
  RunDetail,
  RunTree,
  ValueView,
  WorkerList,
} from "@perdure/dashboard";
import { describe, expect, it, onTestFinished } from "vitest";
import { adds, changes, ended, sleeps, waiting, waits, work } from "./flows.ts";
import { eventsOf, eventUntil, house, ORIGIN, until } from "./house.ts";

// One run in the JSON API, on the World in memory, with a worker that executes real workflows.

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
      file: expect.stringMatching(/flows\.ts$/),
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
