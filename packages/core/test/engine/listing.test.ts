import { createHook, getWorkflowMetadata, sleep, step, workflow } from "@perdure/core";
import {
  countRuns,
  getHookByToken,
  getRun,
  type ListRunsOptions,
  listRuns,
  type RunInfo,
  resumeHook,
  start,
} from "@perdure/core/api";
import { NonDeterminismError, WorldError } from "@perdure/core/errors";
import { configure } from "@perdure/core/runtime";
import type { World } from "@perdure/core/world";
import { expect, it } from "vitest";
import { type Cluster, cluster } from "./cluster.ts";

// listRuns() and countRuns() of the process's World.

function listing(): Cluster {
  const made = cluster();
  configure({ world: made.world, worker: false });
  return made;
}

async function ids(options: ListRunsOptions): Promise<string[]> {
  return (await listRuns(options)).runs.map(({ runId }) => runId);
}

it("lists runs by what a program knows of them, and counts them", async () => {
  const { process, client, clock, state, until, settle } = listing();
  const quick = workflow("quick", async () => 1);
  const parent = workflow("family", async () => (await start(quick, [])).runId);
  await process();
  const one = await client.start(quick, []);
  await until(one.returnValue);
  await clock.advance(1_000);
  const between = new Date(clock.now());
  const two = await client.start<string>(parent, []);
  const child = await until(two.returnValue);
  await settle();
  const stored = state.runs.get(one.runId);
  if (stored !== undefined) stored.row = { ...stored.row, attributes: { tenant: "acme" } };

  expect(await ids({ order: "asc", workflow: quick })).toEqual([one.runId, child]);
  expect(await ids({ workflow: "family" })).toEqual([two.runId]);
  expect(await ids({ parent: two.runId })).toEqual([child]);
  expect(await ids({ attributes: { tenant: "acme" } })).toEqual([one.runId]);
  expect(await ids({ attributes: { tenant: "acme" }, parent: two.runId })).toEqual([]);
  expect(await ids({ createdBefore: between })).toEqual([one.runId]);
  expect((await ids({ createdFrom: between })).sort()).toEqual([two.runId, child].sort());
  expect(await ids({ statuses: ["pending", "running", "failed"] })).toEqual([]);
  expect(await countRuns()).toBe(3);
  expect(await countRuns({ statuses: ["completed"], workflow: quick })).toBe(2);
  expect(await countRuns({ completedBefore: between })).toBe(1);
  const { runs, damaged } = await listRuns({ attributes: { tenant: "acme" } });
  expect(damaged).toEqual([]);
  expect(runs).toEqual([
    {
      runId: one.runId,
      workflowName: "quick",
      status: "completed",
      attributes: { tenant: "acme" },
      createdAt: await one.createdAt,
      startedAt: await one.startedAt,
      completedAt: await one.completedAt,
    } satisfies RunInfo,
  ]);
});

it("pages by cursor, and names a damaged row in its place", async () => {
  const { client, world } = listing();
  const paged = workflow("paged", async () => await createHook());
  const started: string[] = [];
  for (let n = 0; n < 5; n++) started.push((await client.start(paged, [])).runId);
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listRuns>> = await listRuns({ limit: 2, order: "asc", cursor });
    expect(page.runs.length).toBeLessThanOrEqual(2);
    seen.push(...page.runs.map(({ runId }) => runId));
    cursor = page.cursor;
  } while (cursor !== null);
  expect(seen).toEqual(started);
  const damage = new WorldError("Its row is damaged.", { retryable: false, damaged: true });
  const broken = Object.create(world, {
    open: { value: () => world.open() },
    listRuns: {
      value: async (query: Parameters<World["listRuns"]>[0]) => {
        const page = await world.listRuns(query);
        return { ...page, runs: page.runs.slice(1), damaged: [{ runId: page.runs[0]?.runId, damage }] };
      },
    },
  }) as World;
  configure({ world: broken, worker: false });
  const page = await listRuns({ order: "asc" });
  expect(page.damaged).toEqual([{ runId: started[0], damage }]);
  expect(page.runs.map(({ runId }) => runId)).toEqual(started.slice(1));
});

it.each<[ListRunsOptions, string]>([
  [{ limit: 0 }, "listRuns(): limit must be a whole number from 1 to 1000, got 0."],
  [{ statuses: "failed" as never }, "listRuns(): statuses must be an array with some of pending, running"],
  [{ statuses: [] }, "listRuns(): statuses must be"],
  [{ statuses: ["done" as never] }, 'got ["done"].'],
  [{ createdFrom: 5 as never }, "listRuns(): createdFrom must be a valid Date, got 5."],
  [{ createdBefore: new Date(Number.NaN) }, "listRuns(): createdBefore must be a valid Date"],
  [{ attributes: { tenant: 5 as never } }, "listRuns(): attributes.tenant must be a string"],
  [{ order: "newest" as never }, 'listRuns(): order must be "asc" or "desc", got "newest".'],
  [{ status: "failed" } as never, 'listRuns(): there is no option "status"; the nearest is "statuses".'],
  [{ workflow: (async () => {}) as never }, 'listRuns() was given the function "'],
])("refuses %o", async (options, message) => {
  listing();
  await expect(listRuns(options)).rejects.toThrow(message);
});

const refused = (question: Promise<unknown>): Promise<unknown> =>
  question.then(
    () => "answered",
    (error: unknown) => NonDeterminismError.is(error) && error.message.split(" was called")[0],
  );

it("is refused in a workflow, as is all that a replay would do again", async () => {
  const { process, client, until } = listing();
  const wf = workflow("lister", async () => {
    await sleep(1);
    const run = getRun(getWorkflowMetadata().workflowRunId);
    const events = run.events().next();
    const asked = [listRuns(), countRuns(), resumeHook("t"), getHookByToken("t"), run.delete(), events];
    return await Promise.all([...asked, run.getState(), run.fork({ fromStep: "s" })].map(refused));
  });
  await process();
  const run = await client.start(wf, []);
  expect(await until(run.returnValue)).toEqual([
    "listRuns()",
    "countRuns()",
    "resumeHook()",
    "getHookByToken()",
    "run.delete()",
    "run.events()",
    "run.getState()",
    "run.fork()",
  ]);
});

it("asks the World of the step's run in a step, whatever the process's World is", async () => {
  const { process, client, until } = cluster();
  configure({ world: cluster().world, worker: false });
  const asks = step("asks", async (runId: string) => {
    const { runs } = await listRuns();
    const { hookId } = await getHookByToken("of the step's World");
    const resumed = await resumeHook("of the step's World", "payload");
    return [
      runs.map((run) => run.runId),
      await countRuns(),
      resumed.hookId === hookId,
      await getRun(runId).exists,
    ];
  });
  const wf = workflow("asks in a step", async () => {
    const hook = createHook({ token: "of the step's World" });
    await hook.getConflict();
    const { workflowRunId } = getWorkflowMetadata();
    return [await asks(workflowRunId), await hook];
  });
  await process();
  const run = await client.start(wf, []);
  expect(await until(run.returnValue)).toEqual([[[run.runId], 1, true, true], "payload"]);
});
