import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import {
  continueAsNew,
  createHook,
  createWebhook,
  FatalError,
  getStepMetadata,
  type RequestWithResponse,
  setAttributes,
  setState,
  shield,
  sleep,
  step,
  workflow,
} from "perdure";
import { countRuns, getRun, listRuns, resumeHook, start } from "perdure/api";
import { StepOutcomeUnknownError, WorkflowRunNotCompletedError } from "perdure/errors";
import { stripe, webhookHandler } from "perdure/http";
import { configure, createWorker } from "perdure/runtime";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// What runs can do with each other, on every World from one file. The cases of each feature are in packages/core/test/engine.

/** How long, in ms, something may take that nothing tells of. */
const POLL = { timeout: 30_000, interval: 50 };

const folder = mkdtempSync(join(tmpdir(), "perdure-features-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const worlds: Readonly<Record<string, (namespace: string) => Promise<World>>> = {
  sqlite: async () => sqliteWorld({ path: join(folder, "perdure.db") }),
  postgres: async (namespace) => postgresWorld({ ...(await sharedPostgres()), namespace }),
  redis: async (namespace) => redisWorld({ ...(await sharedRedis()), namespace }),
  mongodb: async (namespace) => {
    const { url } = await sharedMongodb();
    return mongodbWorld({ url, namespace });
  },
};

function namespace(): string {
  return `f${randomUUID().replaceAll("-", "").slice(0, 12)}`;
}

const double = step("features//double", async (n: number) => 2 * n);
const child = workflow("features//child", async (n: number) => await double(n));
const waits = workflow("features//waits", async () => await createHook<string>());
const family = workflow("features//family", async (count: number) => {
  const runs = await Promise.all(Array.from({ length: count }, (_, n) => start(child, [n])));
  const results = await Promise.all(runs.map(({ returnValue }) => returnValue));
  return results.reduce((sum, result) => sum + result, 0);
});
const tied = workflow("features//tied", async () => {
  await start(waits, []);
  await createHook();
});
const watches = workflow(
  "features//watches",
  async (runId: string) => await getRun<string>(runId).returnValue,
);
const watched = workflow("features//watched", async (token: string) => await createHook<string>({ token }));
const collects = workflow("features//collects", async (token: string) => {
  const inbox = createHook<number>({ token });
  const got: number[] = [];
  while (got.length < 20) got.push(await inbox);
  return got;
});
const generations = workflow("features//generations", async (n: number, token: string): Promise<unknown> => {
  const inbox = createHook<number>({ token });
  setState({ generation: n });
  await setAttributes({ generation: `${n}` });
  const got = await inbox;
  return n === 4 ? got : await continueAsNew([n + 1, token]);
});
let broken = true;
const charged: string[] = [];
const charges = step("features//charges", async () => {
  charged.push(getStepMetadata().stepId);
  if (broken) throw new FatalError("declined");
  return "charged";
});
const order = workflow("features//order", async (n: number) => [await double(n), await charges()] as const);
const cleans = workflow("features//cleans", async (token: string) => {
  try {
    await createHook({ token });
  } finally {
    await shield(async () => {
      await double(1);
      await sleep(1);
      await double(2);
    });
  }
});
const sleeps = workflow("features//sleeps", async () => {
  await sleep("1 day");
  return "awake";
});
const known = new Set<string>();
/** A body that its timeout ends, so that nobody knows what became of the attempt. */
const hangs = async (what: string): Promise<string> => {
  const { stepId, signal } = getStepMetadata();
  known.add(`${what} ${stepId}`);
  return await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
};
const once = { semantics: "at-most-once", timeout: 300 } as const;
const unknown = step("features//unknown", hangs, once);
const reconciled = step("features//reconciled", hangs, {
  ...once,
  backoff: () => 1,
  reconcile: async (stepId, [what]) => (known.has(`${what} ${stepId}`) ? `${what} was done` : undefined),
});
const mails = workflow("features//mails", async (what: string) => {
  const left = await unknown(what).catch(
    (error: unknown) => StepOutcomeUnknownError.is(error) && error.stepId,
  );
  return [left, await reconciled(what)] as const;
});

/** Ends as `fetch` does when the signal aborts. */
const waitsUnder = step(
  "features//waitsUnder",
  (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason));
    }),
);
const abortsIt = step("features//abortsIt", async (controller: AbortController, reason: string) => {
  controller.abort(reason);
});
const childUnder = workflow("features//childUnder", async (signal: AbortSignal) => {
  return await waitsUnder(signal).catch(({ name, reason }: Error & { reason: unknown }) => [name, reason]);
});
const aborts = workflow("features//aborts", async (by: "workflow" | "step") => {
  const controller = new AbortController();
  const run = await start(childUnder, [controller.signal]);
  await sleep(1);
  if (by === "workflow") controller.abort("enough");
  else await abortsIt(controller, "enough");
  return await run.returnValue;
});
const watchesSignal = workflow("features//watchesSignal", async (token: string) => {
  const inbox = createHook<AbortSignal>({ token });
  return await childUnder(await inbox);
});
const handsOn = step("features//handsOn", async (signal: AbortSignal, token: string) => {
  await resumeHook(token, signal);
});
const abortsAndEnds = workflow("features//abortsAndEnds", async (token: string) => {
  const controller = new AbortController();
  await handsOn(controller.signal, token);
  controller.abort("at the end");
});

const respond = step("features//respond", async (request: RequestWithResponse) => {
  const text = `${await request.text()} ${request.headers.get("x-a")}`;
  await request.respondWith(new Response(text, { status: 201 }));
});
const answers = workflow("features//answers", async (token: string) => {
  const request = await createWebhook({ token, respondWith: "manual" });
  await respond(request);
  return request.method;
});
const SECRET = "whsec_test";
const generateHeader = (payload: string) => ({
  "stripe-signature": new Stripe("sk_test_x").webhooks.generateTestHeaderString({ payload, secret: SECRET }),
});
const payments = workflow("features//payments", async (token: string) => {
  const got: string[] = [];
  for await (const request of createWebhook({ token, verify: stripe(SECRET) })) {
    got.push(((await request.json()) as { readonly id: string }).id);
    if (got.at(-1) === "over") return got;
  }
});
const keepsToken = workflow("features//keeps-token", async (token: string) => {
  const owner = await createHook({ token, experimental_minRetention: "1h" }).getConflict();
  return owner === null ? null : [owner.runId, await owner.status];
});

describe.each(Object.keys(worlds))("on %s", (name) => {
  let world: World;
  /** As another process has it. */
  let other: World;
  let close: () => Promise<void>;
  const token = (what: string): string => `${name} ${what}`;

  beforeAll(async () => {
    const [make, space] = [worlds[name] as (namespace: string) => Promise<World>, namespace()];
    world = await make(space);
    other = await make(space);
    configure({ world, worker: false });
    const worker = createWorker({ world, concurrency: 2, pollInterval: 200 });
    await worker.start();
    close = async () => {
      await worker.close();
      await other.close();
      await world.close();
    };
  }, 120_000);
  afterAll(() => close());

  test("a parent and its children", async () => {
    const run = await start(family, [20]);
    expect(await run.returnValue).toBe(380);
    expect(await countRuns({ parent: run.runId, statuses: ["completed"] })).toBe(20);
  });

  test("a cancelled parent cancels its child", async () => {
    const run = await start(tied, []);
    await expect.poll(() => countRuns({ parent: run.runId, statuses: ["running"] }), POLL).toBe(1);
    await run.cancel();
    await expect(run.returnValue).rejects.toThrow(/cancelled/);
    await expect.poll(() => countRuns({ parent: run.runId, statuses: ["cancelled"] }), POLL).toBe(1);
  });

  test("many watch one run", async () => {
    const run = await start(watched, [token("watched")], { hook: { token: token("watched") } });
    const watchers = await Promise.all(Array.from({ length: 20 }, () => start(watches, [run.runId])));
    await expect.poll(async () => (await world.getRuns([run.runId]))[0]?.endSeq, POLL).toBe(20);
    await resumeHook(token("watched"), "over");
    expect(await Promise.all(watchers.map(({ returnValue }) => returnValue))).toEqual(Array(20).fill("over"));
    await expect.poll(async () => (await world.getRuns([run.runId]))[0]?.dueAt, POLL).toBeNull();
    await run.delete();
    expect(await run.exists).toBe(false);
  });

  test("payloads that start their run", async () => {
    const inbox = token("inbox");
    const sent = Array.from({ length: 20 }, (_, n) =>
      resumeHook(inbox, n, { orStart: [collects, [inbox]], idempotencyKey: `${n}` }),
    );
    const runIds = new Set((await Promise.all(sent)).map(({ runId }) => runId));
    expect(runIds.size).toBe(1);
    const got = await getRun<number[]>([...runIds][0] as string).returnValue;
    expect(got.toSorted((a, b) => a - b)).toEqual(sent.map((_, n) => n));
  });

  test("a run that continues as new", async () => {
    const run = await start(generations, [0, token("generations")], { idempotencyKey: token("key") });
    for (let n = 0; n < 5; n++) {
      const state = await run.getState({ after: n, timeout: "20s" });
      expect(state).toEqual({ version: n + 1, value: { generation: n } });
      await resumeHook(token("generations"), n);
    }
    expect(await run.returnValue).toBe(4);
    const { runs } = await listRuns({ attributes: { generation: "4" } });
    expect(runs.map(({ runId }) => runId)).toEqual([run.runId]);
    expect((await world.getRuns([run.runId]))[0]).toMatchObject({ generation: 4, status: "completed" });
  });

  test("a failed run is brought back, and forked", async () => {
    broken = true;
    charged.length = 0;
    const run = await start(order, [21], { idempotencyKey: token("order") });
    await expect(run.returnValue).rejects.toThrow(/declined|failed/);
    broken = false;
    const [again, same] = await Promise.all([run.retry(), run.retry()]);
    expect(again.runId).toBe(same.runId);
    expect(await again.returnValue).toEqual([42, "charged"]);
    expect(new Set(charged).size).toBe(1);
    const fork = await again.fork({ fromStep: charged[0] as string });
    expect(await fork.returnValue).toEqual([42, "charged"]);
    expect(new Set(charged).size).toBe(2);
    expect(await run.result({ follow: true })).toEqual([42, "charged"]);
    expect((await start(order, [21], { idempotencyKey: token("order") })).runId).toBe(again.runId);
  });

  test.each(["workflow", "step"] as const)(
    "a signal that a %s aborts, in the step of a child",
    async (by) => {
      const run = await start(aborts, [by]);
      expect(await run.returnValue).toEqual(["AbortError", "enough"]);
    },
  );

  test("a signal of a run that ends", async () => {
    const name = token("signal");
    const run = await start(watchesSignal, [name], { hook: { token: name } });
    await (await start(abortsAndEnds, [name])).returnValue;
    expect(await run.returnValue).toEqual(["AbortError", "at the end"]);
  });

  test("cancelled with a shield, and terminated", async () => {
    const run = await start(cleans, [token("cleans")], { hook: { token: token("cleans") } });
    await expect.poll(() => run.status, POLL).toBe("running");
    await run.cancel();
    await expect(run.returnValue).rejects.toThrow(/cancelled/);
    const types: string[] = [];
    for await (const { type } of run.events()) types.push(type);
    expect(types.filter((type) => type === "step_completed")).toHaveLength(2);
    const other = await start(waits, []);
    await other.cancel({ mode: "terminate" });
    expect(await other.status).toBe("cancelled");
  });

  test("webhooks, and who has a token", async () => {
    const handle = webhookHandler({ world: other });
    const [asked, paid] = [token("asked"), token("paid")];
    const send = (to: string, headers: Record<string, string>, body: string) =>
      handle(new Request(`http://a/hooks/${encodeURIComponent(to)}`, { method: "POST", headers, body }));
    const registered = (of: string) =>
      expect.poll(async () => (await world.getNames([`hook:${of}`], Date.now()))[0], POLL).not.toBeNull();

    const answering = await start(answers, [asked]);
    await registered(asked);
    const answer = await send(asked, { "x-a": "1" }, "bytes");
    expect([answer.status, await answer.text()]).toEqual([201, "bytes 1"]);
    expect(await answering.returnValue).toBe("POST");

    const run = await start(payments, [paid]);
    await registered(paid);
    const body = JSON.stringify({ id: "evt_1" });
    const signature = generateHeader(body);
    expect((await send(paid, signature, `${body} `)).status).toBe(401);
    for (let n = 0; n < 2; n++) expect((await send(paid, signature, body)).status).toBe(202);
    const last = JSON.stringify({ id: "over" });
    expect((await send(paid, generateHeader(last), last)).status).toBe(202);
    expect(await run.returnValue).toEqual(["evt_1", "over"]);

    const owner = await start(keepsToken, [token("kept")]);
    expect(await owner.returnValue).toBeNull();
    expect(await (await start(keepsToken, [token("kept")])).returnValue).toEqual([owner.runId, "completed"]);
  });

  test("a result that comes too late for some, a sleep that ends early, and the journal of it", async () => {
    const run = await start(sleeps, [], { attributes: { world: name } });
    const late = await run.result({ timeout: 1 }).catch((error: unknown) => error);
    expect(WorkflowRunNotCompletedError.is(late)).toBe(true);
    await expect(run.result({ signal: AbortSignal.abort("not now") })).rejects.toBe("not now");
    const sleeping = { statuses: ["running"], attributes: { world: name } } as const;
    await expect.poll(async () => (await run.wakeUp()).stoppedCount, POLL).toBe(1);
    expect(await run.result({ timeout: "20s" })).toBe("awake");
    const types: string[] = [];
    for await (const { type, value } of run.events())
      types.push(type === "run_completed" ? `${value}` : type);
    expect(types.slice(-3)).toEqual(["wait_created", "wait_completed", "awake"]);
    expect(await countRuns(sleeping)).toBe(0);
    const { runs } = await listRuns({ attributes: { world: name } });
    expect(runs.map(({ runId, status }) => [runId, status])).toEqual([[run.runId, "completed"]]);
    await run.delete();
    expect(await run.exists).toBe(false);
  });

  test("steps that are called at most once", async () => {
    const run = await start(mails, [name]);
    const [stepId, result] = await run.returnValue;
    expect(result).toBe(`${name} was done`);
    expect(known).toContain(`${name} ${stepId}`);
    expect([...known].filter((what) => what.startsWith(`${name} `))).toHaveLength(2);
  });
});
