import {
  createHook,
  FatalError,
  getStepMetadata,
  RetryableError,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { getRun, type RunEvent } from "@perdure/core/api";
import { NonDeterminismError, WorkflowRunNotFoundError, WorldError } from "@perdure/core/errors";
import { timelineOf } from "@perdure/core/inspect";
import { Client } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

// run.events(): the journal as programs read it.

async function all(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const read: RunEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}

it("gives every event decoded, and goes on after any of them", async () => {
  const { process, client, until, settle } = cluster();
  const double = step("double", async (n: number) => n * 2);
  const fail = step("fail", async () => {
    throw new FatalError("no");
  });
  const wf = workflow("eventful", async (n: number) => {
    await double(n);
    await fail().catch(() => {});
    const hook = createHook<Map<string, number>>({ token: "taken" });
    return await hook;
  });
  await process();
  const run = await client.start(wf, [21]);
  await settle();
  const other = await client.start(wf, [1]);
  await settle();
  await until(client.resumeHook("taken", new Map([["a", 1]])));
  await until(run.returnValue);
  const events = await until(all(run.events()));
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.every(({ at, error }) => at instanceof Date && error === null)).toBe(true);
  expect(events[0]).toMatchObject({ type: "run_created", name: "eventful", value: [21] });
  expect(events.find(({ type }) => type === "step_created")).toMatchObject({ name: "double" });
  expect(events.find(({ type }) => type === "step_completed")?.value).toBe(42);
  expect(events.find(({ type }) => type === "step_failed")?.value).toMatchObject({
    message: "no",
    stepName: "fail",
  });
  expect(events.find(({ type }) => type === "hook_received")?.value).toEqual(new Map([["a", 1]]));
  const conflict = (await until(all(other.events()))).find(({ type }) => type === "hook_conflict");
  expect(conflict).toMatchObject({ value: run.runId, error: null });
  expect(await until(all(run.events({ after: 2, limit: 3 })))).toEqual(events.slice(2, 5));
  expect(await until(all(run.events({ after: events.length })))).toEqual([]);
});

it("reads pages while it is iterated, and ends where the journal ended at the call", async () => {
  const { process, client, until, settle, types } = cluster();
  const tick = step("tick", async () => {});
  const wf = workflow("long", async () => {
    for (let n = 0; n < 150; n++) await tick();
    await createHook({ token: "pause" });
    for (let n = 0; n < 150; n++) await tick();
  });
  await process();
  const run = await client.start(wf, []);
  await settle();
  const before = types(run.runId).length;
  const events = run.events();
  expect((await until(events.next())).value).toMatchObject({ seq: 1 });
  await until(client.resumeHook("pause", null));
  await until(run.returnValue);
  const rest = await until(all(events));
  expect(rest.map(({ type }) => type)).toEqual(types(run.runId).slice(1, before));
});

it("names what cannot be read, and gives the others", async () => {
  const { process, client, clock, world, until, journal } = cluster();
  const tick = step("tick", async (n: number) => n);
  const wf = workflow("damaged", async () => {
    for (let n = 0; n < 10; n++) await tick(n);
  });
  await process();
  const run = await client.start(wf, []);
  await until(run.returnValue);
  const events = [...journal(run.runId)] as unknown as { data: Uint8Array | null }[];
  // An instance of a class that this process does not know, and bytes that are nobody's.
  (events[2] as { data: Uint8Array }).data = Buffer.from(
    'd[["Instance",1],{"class":2,"data":3},"app.Money",{"cents":4},5]',
  );
  (events[4] as { data: Uint8Array }).data = Buffer.from("?!");
  const broken = [8, 9, 14];
  const store = Object.create(world, {
    open: { value: () => world.open() },
    getRuns: { value: (ids: string[]) => world.getRuns(ids) },
    listEvents: {
      value: async (runId: string, after: number, limit: number) => {
        if (broken.some((seq) => seq > after && seq <= after + limit)) {
          throw new WorldError("A page is damaged.", { retryable: false, damaged: true });
        }
        return await world.listEvents(runId, after, limit);
      },
    },
  }) as typeof world;
  const reader = new Client({ world: store, clock, logger: "silent" });
  const read = await until(all(reader.getRun(run.runId).events()));
  expect(read.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const unread = read.filter(({ error }) => error !== null);
  expect(unread.map(({ seq }) => seq)).toEqual([3, 5, ...broken]);
  expect(unread[0]?.error?.message).toContain("not registered in this process");
  expect(unread[0]).toMatchObject({ type: "step_created", name: "tick" });
  expect(unread[1]?.error?.message).toContain("unknown format byte");
  expect(unread[2]).toMatchObject({ type: "damaged", at: undefined, value: undefined });
  expect(unread[2]?.error?.message).toContain("A page is damaged.");
});

it("refuses what cannot be meant, and a workflow", async () => {
  const { process, client, until } = cluster();
  const none = client.getRun("wrun_none");
  await expect(until(all(none.events()))).rejects.toThrow(WorkflowRunNotFoundError);
  expect(() => none.events({ after: -1 })).toThrow(
    "events(): after must be the seq of an event, or 0, got -1.",
  );
  expect(() => none.events({ limit: 0 })).toThrow("events(): limit must be a whole number from 1 on, got 0.");
  const wf = workflow("reads itself", async () => {
    await sleep(1);
    const error = await getRun("wrun_none")
      .events()
      .next()
      .catch((error: unknown) => error);
    return [NonDeterminismError.is(error), String(error)];
  });
  await process();
  const run = await client.start<[boolean, string]>(wf, []);
  const [refused, message] = await until(run.returnValue);
  expect(refused).toBe(true);
  expect(message).toContain("run.events() was called in");
  expect(message).toContain("Call it in a step.");
});

it("tells of each attempt of a step when its body was called: what is before is waiting, what follows is work", async () => {
  const { process, client, clock, until } = cluster();
  const takes = async (ms: number): Promise<void> => {
    await new Promise<void>((resolve) => void clock.setTimer(clock.now() + ms, resolve));
  };
  const long = step("long", async () => await takes(500));
  const flaky = step("flaky", async () => {
    await takes(200);
    if (getStepMetadata().attempt === 1) throw new RetryableError("again", { retryAfter: 3_000 });
    throw new FatalError("no");
  });
  const wf = workflow("timed", async () => {
    await Promise.all([long(), flaky().catch(() => {})]);
  });
  await process({ concurrency: 1 });
  const run = await client.start(wf, []);
  await until(run.returnValue);
  const [first, second] = timelineOf(await until(all(run.events())));
  const lengthOf = (from: Date | undefined, to: Date | undefined): number =>
    (to?.getTime() ?? 0) - (from?.getTime() ?? 0);
  expect(lengthOf(first?.startedAt, first?.endedAt)).toBe(500);
  const [attempt] = second?.failedAttempts ?? [];
  expect(lengthOf(second?.at, attempt?.startedAt)).toBeGreaterThanOrEqual(500);
  expect(lengthOf(attempt?.startedAt, attempt?.endedAt)).toBe(200);
  expect(lengthOf(attempt?.endedAt, second?.startedAt)).toBeGreaterThanOrEqual(3_000);
  expect(lengthOf(second?.startedAt, second?.endedAt)).toBe(200);
  expect(second).toMatchObject({ outcome: "failed", endSeq: expect.any(Number) });
});
