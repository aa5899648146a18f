import { continueAsNew, createHook, FatalError, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { NonDeterminismError } from "@perdure/core/errors";
import {
  configure,
  type Interceptor,
  type Measurement,
  registerInterceptor,
  shutdown,
} from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { expect, it, onTestFinished } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

function register(interceptor: Interceptor): () => void {
  const unregister = registerInterceptor(interceptor);
  onTestFinished(unregister);
  return unregister;
}

const works = step("interceptors/works", async (n: number) => 2 * n);
const child = workflow("interceptors/child", async (n: number) => await works(n));
const waits = workflow("interceptors/waits", async (token: string) => {
  const got = await createHook<number>({ token });
  return await works(got);
});

/** What a run and its steps hear of their headers. */
function listener() {
  const heard: unknown[] = [];
  register({
    onStart(call) {
      const { workflowName, callerRunId, headers } = call;
      headers.trace = `of ${call.runId}`;
      heard.push(["start", workflowName, callerRunId]);
      return (outcome) => heard.push(["started", outcome.type, outcome.type !== "failed" && outcome]);
    },
    onExecute({ runId, workflowName, headers }) {
      heard.push(["execute", workflowName, headers.trace === `of ${runId}`]);
      return (outcome) => heard.push(["left", outcome]);
    },
    async aroundStep({ runId, stepName, stepId, attempt, headers }, next) {
      const own = getStepMetadata().stepId === stepId;
      heard.push(["step", stepName, attempt, own, headers.trace === `of ${runId}`]);
      const result = await next();
      heard.push(["gave", result]);
      return result;
    },
    onRunEnd({ runId, workflowName, status, headers, error }) {
      heard.push(["end", workflowName, status, headers.trace === `of ${runId}`, error]);
    },
  });
  return heard;
}

it("tells of a run from its start to its end, with what travels with it", async () => {
  const { client, process, until, settle, types } = cluster();
  const heard = listener();
  await process();
  const run = await client.start(waits, ["a token"]);
  await settle();
  await client.resumeHook("a token", 4);
  expect(await until(run.returnValue)).toBe(8);
  await settle();
  const { runId } = run;
  expect(heard).toEqual([
    ["start", "interceptors/waits", null],
    ["started", "created", { type: "created", runId }],
    ["execute", "interceptors/waits", true],
    ["left", "parked"],
    ["execute", "interceptors/waits", true],
    ["step", "interceptors/works", 1, true, true],
    ["gave", 8],
    ["end", "interceptors/waits", "completed", true, undefined],
    ["left", "completed"],
  ]);
  expect(types(runId).slice(0, 3)).toEqual(["run_created", "headers_given", "run_started"]);
});

it("leaves the journal as it is where nobody gives headers, and is not needed to read it where somebody does", async () => {
  const { client, process, until, types, clock } = cluster();
  const doomed = await process();
  const unregister = register({
    onStart({ headers }) {
      headers.trace = "one";
    },
  });
  const slow = gate();
  const held = step("interceptors/held", async () => await slow.promise);
  const flow = workflow("interceptors/flow", async () => [await works(1), await held()]);
  const run = await client.start(flow, []);
  await clock.advance(100);
  doomed.kill();
  unregister();
  slow.open();
  await process();
  expect(await until(run.returnValue)).toEqual([2, undefined]);
  const plain = await client.start(child, [1]);
  await until(plain.returnValue);
  expect(types(plain.runId)[1]).toBe("run_started");
});

it("has the headers of a start in every generation, and those of a retry in the run that goes on", async () => {
  const { client, process, until, types } = cluster();
  let starts = 0;
  const seen: unknown[] = [];
  register({
    onStart({ headers }) {
      headers.trace = `start ${++starts}`;
    },
    async aroundStep({ headers, stepName }, next) {
      seen.push([stepName, headers.trace]);
      return await next();
    },
  });
  let broken = true;
  const fails = step("interceptors/fails", async () => {
    if (broken) throw new FatalError("declined");
    return "done";
  });
  const again = workflow("interceptors/again", async (n: number): Promise<string> => {
    await works(n);
    return n < 2 ? await continueAsNew([n + 1]) : await fails();
  });
  await process();
  const run = await client.start<string>(again, [1]);
  await expect(until(run.returnValue)).rejects.toThrow("declined");
  broken = false;
  const next = await run.retry();
  expect(await until(next.returnValue)).toBe("done");
  expect(types(next.runId).filter((type) => type === "headers_given")).toHaveLength(1);
  expect(seen).toEqual([
    ["interceptors/works", "start 1"],
    ["interceptors/works", "start 1"],
    ["interceptors/fails", "start 1"],
    ["interceptors/fails", "start 2"],
  ]);
});

it("is told who starts a run, and which run that gives", async () => {
  const { client, process, until } = cluster();
  const calls: unknown[] = [];
  register({
    onStart({ workflowName, callerRunId }) {
      return (outcome) => calls.push([workflowName, callerRunId, outcome.type]);
    },
  });
  const inStep = step("interceptors/inStep", async () => (await start(child, [1])).runId);
  const family = workflow("interceptors/family", async () => {
    await (await start(child, [2])).returnValue;
    return await inStep();
  });
  await process();
  const run = await client.start(family, []);
  await until(run.returnValue);
  const keyed = await client.start(child, [3], { idempotencyKey: "a key" });
  await client.start(child, [3], { idempotencyKey: "a key" });
  await expect(client.start(child, [4], { idempotencyKey: "a key" })).rejects.toThrow();
  await client.resumeHook("started", 1, { orStart: [waits, ["started"]] });
  await until(keyed.returnValue);
  expect(calls).toEqual([
    ["interceptors/family", null, "created"],
    ["interceptors/child", run.runId, "created"],
    ["interceptors/child", run.runId, "created"],
    ["interceptors/child", null, "created"],
    ["interceptors/child", null, "found"],
    ["interceptors/child", null, "failed"],
    ["interceptors/waits", null, "created"],
  ]);
});

it("wraps bodies, the first one outermost; what it returns and throws counts", async () => {
  const { client, process, until } = cluster();
  const order: string[] = [];
  for (const name of ["outer", "inner"]) {
    register({
      async aroundStep(_, next) {
        order.push(`${name} begins`);
        const result = (await next()) as number;
        order.push(`${name} ends`);
        return result + 1;
      },
    });
  }
  let throws = 1;
  register({
    async aroundStep(_, next) {
      if (throws-- > 0) throw new Error("not yet");
      return await next();
    },
  });
  await process();
  expect(await until((await client.start(child, [5])).returnValue)).toBe(12);
  const [first, whole] = [
    ["outer begins", "inner begins"],
    ["outer begins", "inner begins", "inner ends", "outer ends"],
  ];
  expect(order).toEqual([...(first as string[]), ...(whole as string[])]);
});

it("does not have a body repeated that has done its work, or still does it, when it throws", async () => {
  const { client, process, until, settle } = cluster();
  const [begun, end] = [gate(), gate()];
  let charges = 0;
  const charge = step("interceptors/charge", async (slow: boolean) => {
    charges++;
    begun.open();
    if (slow) await end.promise;
    return charges;
  });
  const flow = workflow("interceptors/charges", async (slow: boolean) => await charge(slow));
  const { logs } = await process();
  const broken: Interceptor["aroundStep"][] = [
    async (_, next) => {
      await next();
      throw new Error("broken");
    },
    async (_, next) => {
      await next();
      return await next();
    },
  ];
  for (const aroundStep of broken) {
    const unregister = register({ aroundStep: (call, next) => aroundStep?.(call, next) as Promise<unknown> });
    charges = 0;
    expect(await until((await client.start(flow, [false])).returnValue)).toBe(1);
    unregister();
  }
  charges = 0;
  register({
    async aroundStep(_, next) {
      void next();
      throw new Error("broken");
    },
  });
  const run = await client.start(flow, [true]);
  await until(begun.promise);
  await settle();
  end.open();
  expect(await until(run.returnValue)).toBe(1);
  expect(charges).toBe(1);
  const said = logs.filter(({ message }) => /^aroundStep .* had done its work/.test(message));
  expect(said.map(({ fields }) => (fields.error as Error).message)).toEqual([
    "broken",
    expect.stringContaining("next() a second time"),
    "broken",
  ]);
});

it("changes nothing when the others throw, or reject; the logger hears of it", async () => {
  const { client, process, until, settle } = cluster();
  const fail = (): never => {
    throw new Error("broken");
  };
  register({
    onStart: () => fail,
    onExecute: () => fail,
    onRunEnd: async () => fail(),
    onMeasure: fail,
  });
  register({ onStart: fail, onExecute: fail, onRunEnd: fail });
  register({
    onStart({ headers }) {
      headers.large = "x".repeat(20_000);
    },
  });
  const { logs } = await process();
  const run = await client.start(child, [6]);
  expect(await until(run.returnValue)).toBe(12);
  await settle();
  const said = logs.filter(({ fields }) => (fields.error as Error)?.message === "broken");
  const names = new Set(said.map(({ message }) => message.split(" ")[0]));
  expect([...names].sort()).toEqual(["onExecute", "onMeasure", "onRunEnd"]);
});

it("says how a run ended, and how it left a worker", async () => {
  const { client, process, until, settle } = cluster();
  const heard: unknown[] = [];
  register({
    onExecute: () => (outcome) => heard.push(outcome),
    onRunEnd: ({ status, error }) => heard.push([status, String(error)]),
  });
  const fails = workflow("interceptors/bad", async () => {
    throw new RangeError("too far");
  });
  const long = workflow("interceptors/long", async () => await sleep("1 day"));
  await process();
  await until((await client.start(fails, [])).returnValue.catch(() => {}));
  const cancelled = await client.start(long, []);
  await settle();
  await cancelled.cancel({ reason: "enough" });
  await until(cancelled.returnValue.catch(() => {}));
  await settle();
  expect(heard).toEqual([
    ["failed", "RangeError: too far"],
    "failed",
    "parked",
    ["cancelled", expect.stringContaining("enough")],
    "cancelled",
  ]);
});

it("hears of a lease that was lost, and of the attempt that was given up for it", async () => {
  const { client, process, until, when, clock, types } = cluster();
  const left: string[] = [];
  const measured: Measurement[] = [];
  register({
    onExecute: () => (outcome) => void left.push(outcome),
    onMeasure: (measurement) => void measured.push(measurement),
  });
  const slow = gate();
  const held = step("interceptors/holds", async () => await slow.promise);
  const holds = workflow("interceptors/holding", async () => await held());
  const first = await process();
  const run = await client.start(holds, []);
  await when(() => types(run.runId).includes("step_created"));
  first.fault(() => Promise.reject(new Error("away")));
  await process();
  await clock.advance(2 * LEASE);
  first.fault(null);
  await clock.advance(2 * LEASE);
  slow.open();
  await until(run.returnValue);
  expect(left).toEqual(["lost", "completed"]);
  const { runId } = run;
  expect(measured).toContainEqual({ type: "lease_lost", workflowName: "interceptors/holding", runId });
  const outcomes = measured.flatMap((one) => (one.type === "step_attempt" ? [one.outcome] : []));
  expect(outcomes).toEqual(["given_up", "completed"]);
});

it("measures attempts, claims, commits, replays and divergences", async () => {
  const { client, process, until, clock, settle, when, types } = cluster();
  const measured: Measurement[] = [];
  register({ onMeasure: (measurement) => void measured.push(measurement) });
  const of = (type: Measurement["type"]) => measured.filter((measurement) => measurement.type === type);

  const slow = step("interceptors/slow", async () => await sleepFor(300));
  const late = step("interceptors/late", async () => await sleepFor(5_000), {
    timeout: 1_000,
    maxRetries: 0,
  });
  const sleepFor = (ms: number) => new Promise<void>((done) => void clock.setTimer(clock.now() + ms, done));
  let step2 = slow;
  const flow = workflow("interceptors/measured", async (token: string) => {
    await step2();
    await late().catch(() => {});
    await createHook({ token });
  });
  const run = await client.start(flow, ["measured"]);
  await clock.advance(700);
  const first = await process();
  await when(() => types(run.runId).includes("hook_created"));
  await settle();
  expect(of("claim")).toEqual([{ type: "claim", workflowName: "interceptors/measured", lag: 700 }]);
  const about = { type: "step_attempt", workflowName: "interceptors/measured" };
  expect(of("step_attempt")).toEqual([
    { ...about, stepName: "interceptors/slow", outcome: "completed", duration: 300 },
    { ...about, stepName: "interceptors/late", outcome: "timeout", duration: 1_000 },
  ]);
  expect(of("commit").length).toBeGreaterThan(2);
  expect(of("commit")).toContainEqual({ type: "commit", runs: 1, duration: 0 });

  first.kill();
  step2 = late;
  measured.length = 0;
  await client.resumeHook("measured", null);
  await clock.advance(50);
  await process();
  await when(() => of("diverged").length > 0);
  expect(of("diverged")[0]).toEqual({
    type: "diverged",
    workflowName: "interceptors/measured",
    runId: run.runId,
  });
  step2 = slow;
  await run.retry();
  await until(run.returnValue);
  const { events } = of("replay").at(-1) as Measurement & { type: "replay" };
  expect(events).toBeGreaterThan(6);
});

it("is set by configure() as well, and taken away with the rest of it", async () => {
  const { process, client, until } = cluster();
  const heard: string[] = [];
  configure({
    world: memoryWorld(),
    worker: false,
    interceptors: [{ onRunEnd: ({ status }) => heard.push(status) }],
  });
  await process();
  await until((await client.start(child, [1])).returnValue);
  expect(heard).toEqual(["completed"]);
  await shutdown();
  await until((await client.start(child, [1])).returnValue);
  expect(heard).toEqual(["completed"]);
});

it("refuses what is no interceptor, and a registration in a workflow", async () => {
  const { process, client, until } = cluster();
  expect(() => registerInterceptor({ onStrat: () => {} } as Interceptor)).toThrow(/onStrat.*onStart/);
  expect(() => registerInterceptor({ onStart: "x" } as never)).toThrow("onStart must be a function");
  expect(() => configure({ world: memoryWorld(), interceptors: [{ a: 1 } as never] })).toThrow(TypeError);
  const registers = workflow("interceptors/registers", async () => void registerInterceptor({}));
  await process();
  const error = await until(
    (await client.start(registers, [])).returnValue.catch((thrown: Error) => thrown.cause),
  );
  expect(NonDeterminismError.is(error)).toBe(true);
});
