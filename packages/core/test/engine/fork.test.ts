import { continueAsNew, createHook, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { FatalError, HookConflictError, WorkflowRunFailedError } from "@perdure/core/errors";
import { Client } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Runs that go on from where another one was: retry and fork.

interface Call {
  readonly name: string;
  readonly stepId: string;
}

function charging(calls: Call[], broken: { is: boolean }) {
  const reserve = step("reserve", async (item: string) => {
    calls.push({ name: "reserve", stepId: getStepMetadata().stepId });
    return `${item} reserved`;
  });
  const charge = step("charge card", async (cents: number) => {
    calls.push({ name: "charge", stepId: getStepMetadata().stepId });
    if (broken.is) throw new FatalError("no");
    return cents;
  });
  return workflow("orders", async (item: string) => {
    const draw = Math.random();
    const reserved = await reserve(item);
    await sleep(10);
    const cents = await charge(42);
    await sleep(10);
    return [reserved, cents, draw, Math.random()] as const;
  });
}

it("brings a failed run back: nothing is done twice, and the step that failed keeps its id", async () => {
  const { process, client, clock, until, settle, row, state } = cluster();
  const calls: Call[] = [];
  const broken = { is: true };
  const flow = charging(calls, broken);
  const worker = await process();
  const options = { idempotencyKey: "order 1", attributes: { customer: "cus_1" } };
  const run = await client.start(flow, ["book"], options);
  expect(await until(run.returnValue.catch((error: unknown) => error))).toBeInstanceOf(
    WorkflowRunFailedError,
  );
  broken.is = false;
  const [again, same] = await Promise.all([run.retry(), client.getRun(run.runId).retry()]);
  expect(again.runId).toBe(same.runId);
  expect(again.runId).not.toBe(run.runId);
  await settle();
  worker.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  const result = (await until(again.returnValue)) as unknown[];
  expect(result.slice(0, 2)).toEqual(["book reserved", 42]);
  expect(calls.map(({ name }) => name)).toEqual(["reserve", "charge", "charge"]);
  expect(calls[1]?.stepId).toBe(calls[2]?.stepId);
  expect(row(again.runId)).toMatchObject({ status: "completed", attributes: { customer: "cus_1" } });
  expect((await client.start(flow, ["book"], options)).runId).toBe(again.runId);
  expect((await run.retry()).runId).toBe(again.runId);
  await expect(again.retry()).rejects.toThrow(/completed.*nothing to retry/);
  expect(state.runs.size).toBe(2);
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("keeps the time of the start key, and leaves a key alone whose time is over", async () => {
  const { process, client, clock, until, row } = cluster();
  const broken = { is: true };
  const flow = charging([], broken);
  await process();
  const options = { idempotencyKey: "for an hour", ttl: "1h" } as const;
  const run = await client.start(flow, ["book"], options);
  await until(run.returnValue.catch(() => {}));
  broken.is = false;
  const second = await run.retry();
  await until(second.returnValue);
  expect((await client.start(flow, ["book"], options)).runId).toBe(second.runId);
  await clock.advance(3_600_000);
  broken.is = true;
  const next = await client.start(flow, ["another book"], options);
  expect(next.runId).not.toBe(second.runId);
  await until(next.returnValue.catch(() => {}));
  await clock.advance(3_600_000);
  broken.is = false;
  const again = await next.retry();
  expect(row(again.runId).idempotencyKey).toBeNull();
  const last = await client.start(flow, ["the last book"], options);
  expect(last.runId).not.toBe(again.runId);
});

it("refuses to go on for a run whose key another start has by now", async () => {
  const { process, client, clock, until } = cluster();
  const broken = { is: true };
  const flow = charging([], broken);
  await process();
  const options = { idempotencyKey: "for a second", ttl: "1s" } as const;
  const run = await client.start(flow, ["book"], options);
  await until(run.returnValue.catch(() => {}));
  await clock.advance(1_000);
  const other = await client.start(flow, ["book"], options);
  await expect(run.retry()).rejects.toThrow(new RegExp(`belongs to run "${other.runId}"`));
});

it("gives the failed step another id where the old one is burnt, and retries a retry", async () => {
  const { process, client, until } = cluster();
  const calls: Call[] = [];
  const broken = { is: true };
  const flow = charging(calls, broken);
  await process();
  const run = await client.start(flow, ["book"]);
  await until(run.returnValue.catch(() => {}));
  const second = await run.retry({ keys: "new" });
  await until(second.returnValue.catch(() => {}));
  broken.is = false;
  const third = await second.retry();
  expect(((await until(third.returnValue)) as unknown[]).slice(0, 2)).toEqual(["book reserved", 42]);
  const ids = calls.filter(({ name }) => name === "charge").map(({ stepId }) => stepId);
  expect(ids[0]).not.toBe(ids[1]);
  expect(ids[1]).toBe(ids[2]);
  expect(calls.filter(({ name }) => name === "reserve")).toHaveLength(1);
});

for (const [what, anew] of [
  ["goes on", false],
  ["begins anew", true],
] as const) {
  it(`forks a run that ${what} between two reads`, async () => {
    const { process, client, clock, world, until, when, settle, row, journal } = cluster();
    const add = step("add to it", async (n: number) => n + 1);
    const flow = workflow("under way", async (): Promise<number> => {
      const hook = createHook<number>({ token: "more" });
      const first = await add(0);
      const more = await hook;
      return anew ? await continueAsNew([]) : (await add(more)) + first;
    });
    await process();
    const run = await client.start<number>(flow, []);
    await settle();
    const fromStep = journal(run.runId).find(({ type }) => type === "step_created")?.id ?? "";
    const store: typeof world = {
      ...world,
      async getRuns(runIds) {
        const rows = await world.getRuns(runIds);
        await client.resumeHook("more", 10);
        await when(() => row(run.runId).seq > (rows[0]?.seq ?? 0) + 1);
        return rows;
      },
    };
    const fork = new Client({ world: store, clock, logger: "silent" }).getRun(run.runId).fork({ fromStep });
    if (anew) await expect(until(fork)).rejects.toThrow(/has no step/);
    else expect(await until((await until(fork)).exists)).toBe(true);
  });
}

it("forks a run from a step: what was before keeps its results, what follows is the fork's own", async () => {
  const { process, client, clock, until, settle } = cluster();
  const calls: Call[] = [];
  const flow = charging(calls, { is: false });
  const worker = await process();
  const run = await client.start(flow, ["book"]);
  const first = (await until(run.returnValue)) as unknown[];
  const fromStep = calls[1]?.stepId ?? "";
  const fork = await run.fork({ fromStep });
  await settle();
  worker.kill();
  await clock.advance(LEASE + 1);
  await process();
  const second = (await until(fork.returnValue)) as unknown[];
  expect(second.slice(0, 3)).toEqual(first.slice(0, 3));
  expect(second[3]).not.toBe(first[3]);
  expect(calls.map(({ name }) => name)).toEqual(["reserve", "charge", "charge"]);
  expect(calls[2]?.stepId).not.toBe(calls[1]?.stepId);
  const other = await fork.fork({ fromStep: calls[2]?.stepId ?? "", args: ["pen"] });
  expect(((await until(other.returnValue)) as unknown[])[0]).toBe("book reserved");
  await expect(run.fork({ fromStep: "step_none" })).rejects.toThrow(/has no step "step_none"/);
});

it("takes hooks and children along, and refuses a token that another run has", async () => {
  const { process, client, until, settle } = cluster();
  const broken = { is: true };
  const child = workflow("a child", async () => "of the first");
  const fails = step("may fail", async () => {
    if (broken.is) throw new FatalError("no");
  });
  const flow = workflow("has a hook and a child", async () => {
    const hook = createHook<string>({ token: "kept" });
    await hook.getConflict();
    const run = await start(child, []);
    await fails();
    return [await hook, await run.returnValue, run.runId];
  });
  await process();
  const run = await client.start<string[]>(flow, []);
  await until(run.returnValue.catch(() => {}));
  broken.is = false;
  const thief = await client.start(flow, []);
  await settle();
  await expect(run.retry()).rejects.toThrow(HookConflictError);
  await thief.cancel();
  await settle();
  const again = await run.retry();
  await settle();
  await client.resumeHook("kept", "payload");
  const [payload, value] = (await until(again.returnValue)) as string[];
  expect([payload, value]).toEqual(["payload", "of the first"]);
});

// What a run that failed had not read: `sent` tells when it is sent on to whoever has the token.
it.each(["after the retry", "before the retry", "to another run"])(
  "gives what was not read to one run, sent on %s",
  async (sent) => {
    const { process, client, state, until, settle, when } = cluster();
    const broken = { is: true };
    const got: string[] = [];
    const fails = step("may fail", async () => {
      if (broken.is) throw new FatalError("no");
    });
    const other = workflow("takes what is left", async () => {
      const hook = createHook<string>({ token: "inbox" });
      got.push(`another run: ${await hook}`);
    });
    const flow = workflow("reads later", async () => {
      const hook = createHook<string>({ token: "inbox" });
      const first = await hook;
      await sleep(10);
      await fails();
      for (;;) {
        const payload = await Promise.race([hook, sleep("1m").then(() => null)]);
        if (payload === null) return first;
        got.push(payload);
      }
    });
    const worker = await process();
    const run = await client.start(flow, []);
    await settle();
    await client.resumeHook("inbox", "read");
    await client.resumeHook("inbox", "unread", sent === "to another run" ? { orStart: [other] } : {});
    const sendingOn = gate();
    if (sent === "after the retry")
      worker.fault((operation) => (operation === "deliver" ? sendingOn.promise : undefined));
    await until(run.returnValue.catch(() => {}));
    if (sent !== "after the retry") await settle();
    if (sent === "to another run") await when(() => got.length === 1);
    await settle();
    broken.is = false;
    const again = await run.retry();
    sendingOn.open();
    expect(await until(again.returnValue)).toBe("read");
    expect(got).toEqual([sent === "to another run" ? "another run: unread" : "unread"]);
    const types = state.runs.get(again.runId)?.journal.map(({ type }) => type) ?? [];
    expect(types.filter((type) => type === "hook_received")).toHaveLength(sent === "to another run" ? 1 : 2);
  },
);

it.each(["retry", "fork"])(
  "keeps the results of steps that completed after the place of a %s",
  async (how) => {
    const { process, client, clock, until, settle, types } = cluster();
    const broken = { is: true };
    const calls: string[] = [];
    const fails = step("may fail", async () => {
      calls.push("fails");
      if (broken.is) throw new FatalError("no");
      return "mended";
    });
    const [first, second] = [gate<string>(), gate<string>()];
    const slow = step(
      "slow",
      async (name: string) => {
        calls.push(name);
        return await (name === "first" ? first : second).promise;
      },
      { semantics: "at-most-once" },
    );
    const after = step("after", async (name: string) => `after ${name}`);
    const flow = workflow("side by side", async () => {
      const others = [slow("first"), slow("second")].map(async (result) => await after(await result));
      const results = await Promise.allSettled([fails(), ...others]);
      return results.map((result) => {
        if (result.status === "rejected") throw result.reason;
        return result.value;
      });
    });
    const worker = await process();
    const run = await client.start<unknown>(flow, []);
    await settle();
    first.open("1");
    await settle();
    second.open("2");
    await until(run.returnValue.catch(() => {}));
    broken.is = false;
    const before = [...calls];
    const events = [];
    for await (const event of run.events()) events.push(event);
    const fromStep =
      events.find(({ type, name }) => type === "step_created" && name === "may fail")?.id ?? "";
    const again = await (how === "retry" ? run.retry() : run.fork({ fromStep }));
    await settle();
    worker.kill();
    await clock.advance(LEASE + 1);
    await process();
    expect(await until(again.returnValue)).toEqual(["mended", "after 1", "after 2"]);
    expect(calls.slice(before.length)).toEqual(["fails"]);
    // A retry also has the results of what was asked for after that place.
    const recorded = types(again.runId).filter((type) => type === "step_recorded");
    expect(recorded).toHaveLength(how === "retry" ? 4 : 2);
  },
);
