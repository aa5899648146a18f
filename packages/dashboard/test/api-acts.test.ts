import type { BulkResult, Counts, RunDetail } from "@perdure/dashboard";
import { describe, expect, it } from "vitest";
import { adds, ended, sleeps, waiting } from "./flows.ts";
import { house, until } from "./house.ts";

// Acts of the JSON API, on the World in memory, with a worker that executes real workflows.

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
