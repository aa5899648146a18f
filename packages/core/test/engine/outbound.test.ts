import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  fetch as durableFetch,
  FatalError,
  getStepMetadata,
  idempotentFetch,
  RetryableError,
  type StepOptions,
  step,
  stripeOptions,
  workflow,
} from "@perdure/core";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { cluster } from "./cluster.ts";

// Requests of steps and workflows, and their keys, against a real server.

interface Got {
  readonly method: string;
  readonly key: string | undefined;
  readonly body: string;
}
const got: Got[] = [];
/** What the server answers, in order; then 200. */
let answers: (readonly [number, Record<string, string>?, string?] | "none")[] = [];
const server = createServer((message, answer) => {
  message.setEncoding("utf8");
  let body = "";
  message.on("data", (text: string) => {
    body += text;
  });
  message.on("end", () => {
    const key = message.headers["idempotency-key"] as string | undefined;
    got.push({ method: message.method ?? "", key, body });
    const next = answers.shift() ?? [200];
    if (next === "none") message.socket.destroy();
    else answer.writeHead(next[0], next[1]).end(next[2] ?? `for ${body}`);
  });
});
let url = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
});
beforeEach(() => {
  got.length = 0;
  answers = [];
});

type Cluster = ReturnType<typeof cluster>;

/** Lets real requests be answered while the clock of the cluster moves on. */
async function meanwhile<T>(c: Cluster, promise: Promise<T>): Promise<T> {
  let over = false;
  const settled = promise.finally(() => {
    over = true;
  });
  settled.catch(() => {});
  while (!over) {
    await c.clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await settled;
}

let made = 0;
/** What a workflow gives that calls one step with this body; the errors of its attempts come along. */
async function inStep(body: () => Promise<unknown>, options: StepOptions = {}) {
  const c = cluster();
  made += 1;
  const thrown: unknown[] = [];
  const called = step(
    `outbound//${made}`,
    async () => {
      try {
        return await body();
      } catch (error) {
        thrown.push(error);
        throw error;
      }
    },
    { backoff: () => 1, ...options },
  );
  const flow = workflow(`outbound//flow${made}`, async () => await called());
  const { logs } = await c.process();
  const run = await c.client.start(flow, []);
  const result = await meanwhile(c, run.returnValue).catch((error: unknown) => error);
  return { result, thrown, logs, step: `outbound//${made}` };
}

const post = { method: "POST", body: "tea" } as const;

it("numbers the keys of one step by the order of the calls, the same in each attempt", async () => {
  const { result, thrown } = await inStep(async () => {
    const { stepId, attempt } = getStepMetadata();
    const [first, ...others] = [
      durableFetch(url, post),
      idempotentFetch(url, { method: "put" }),
      durableFetch(`${url}/read`),
      durableFetch(new Request(url, { method: "DELETE", headers: { "x-a": "1" } })),
      idempotentFetch(url, { ...post, headers: { "Idempotency-Key": "own" } }),
    ];
    await Promise.all([first, ...others]);
    const { idempotencyKey, maxNetworkRetries } = stripeOptions();
    await durableFetch(url, { method: "PATCH", body: idempotencyKey });
    if (attempt === 1) throw new Error("once more");
    return [stepId, maxNetworkRetries];
  });
  expect(thrown).toMatchObject([{ message: "once more" }]);
  const [id, retries] = result as [string, number];
  expect(retries).toBe(2);
  const keys = got.map(({ method, key }) => `${method.toUpperCase()} ${key}`);
  const once = [`DELETE ${id}-3`, "GET undefined", `PATCH ${id}-5`, "POST own", `POST ${id}`, `PUT ${id}-2`];
  expect(keys.slice(0, 6).sort()).toEqual(once.sort());
  expect(keys.slice(6).sort()).toEqual(once);
  expect(got.find(({ method }) => method.toUpperCase() === "PATCH")?.body).toBe(`${id}-4`);
});

it("sends one in a workflow, where each request is a step", async () => {
  const c = cluster();
  const flow = workflow("outbound//durable", async (base: string) => {
    const responses = [
      await durableFetch(base, post),
      await idempotentFetch(base, post),
      await durableFetch(base),
    ];
    return await Promise.all(responses.map((response) => response.text()));
  });
  await c.process();
  answers = [[200], [503]];
  const run = await c.client.start(flow, [url]);
  expect(await meanwhile(c, run.returnValue)).toEqual(["for tea", "for tea", "for "]);
  const [first, second, repeated, read] = got.map(({ key }) => key);
  expect(first).toMatch(/^step_[\w-]{27}$/);
  expect([repeated, read]).toEqual([second, undefined]);
  expect(second).not.toBe(first);
});

it("gives the fate of a workflow's request to the workflow", async () => {
  const c = cluster();
  const flow = workflow("outbound//refused", async (base: string) => {
    return await idempotentFetch(`${base}/a?token=hush`, post).catch((error: unknown) => {
      const { status, url, body } = error as { status: number; url: string; body: string };
      return [FatalError.is(error), status, url, body, (error as Error).message.includes("hush")];
    });
  });
  const own = workflow("outbound//reads", async () => {
    await idempotentFetch(url, { ...post, onConflict: (response) => response });
  });
  await c.process();
  answers = [[402, {}, "declined"]];
  const run = await c.client.start(flow, [url]);
  expect(await meanwhile(c, run.returnValue)).toEqual([true, 402, `${url}/a`, "declined", false]);
  const other = await c.client.start(own, []);
  await expect(meanwhile(c, other.returnValue)).rejects.toMatchObject({
    cause: { message: expect.stringContaining("in a step of yours") },
  });
});

it("tells apart what is worth another attempt", async () => {
  for (const status of [408, 425, 429, 500, 503, 599]) {
    answers = [[status, { "retry-after": "7" }, "x".repeat(5_000)]];
    const { result, thrown } = await inStep(
      async () => await ((await idempotentFetch(url, post)) as Response).text(),
    );
    expect([result, RetryableError.is(thrown[0])], `${status}`).toEqual(["for tea", true]);
    expect(thrown[0]).toMatchObject({ status, retryDelayMs: 7_000, url: `${url}/`, body: "x".repeat(1_000) });
  }
  for (const status of [400, 401, 404, 422]) {
    answers = [[status]];
    const { thrown } = await inStep(async () => await idempotentFetch(url, post));
    expect([FatalError.is(thrown[0]), thrown.length], `${status}`).toEqual([true, 1]);
  }
  answers = ["none"];
  const { result, thrown } = await inStep(
    async () => await ((await idempotentFetch(url, post)) as Response).text(),
    {
      backoff: { initial: 3_000, jitter: 0 },
    },
  );
  expect(result).toBe("for tea");
  expect(thrown).toMatchObject([{ code: "RETRYABLE", status: undefined, retryDelayMs: 3_000, cause: {} }]);
});

it("reads Retry-After as a date, and goes by the step's backoff without one", async () => {
  const at = new Date(Date.UTC(2026, 0, 1, 0, 1));
  answers = [[503, { "retry-after": at.toUTCString() }], [503]];
  const { thrown } = await inStep(async () => void (await idempotentFetch(url, post)), {
    backoff: { initial: "2s", factor: 5, jitter: 0 },
  });
  const [dated, plain] = thrown as RetryableError[];
  // The clock of the cluster begins a minute before.
  expect(dated?.retryDelayMs).toBeGreaterThan(50_000);
  expect(dated?.retryDelayMs).toBeLessThanOrEqual(60_000);
  expect(plain?.retryDelayMs).toBe(10_000);
});

it("sends a 409 again, for a while", async () => {
  answers = [
    [409, { "retry-after": "0" }],
    [409, { "retry-after": "0" }],
  ];
  const { result, thrown } = await inStep(
    async () => await ((await idempotentFetch(url, post)) as Response).text(),
  );
  expect([result, thrown, got.map(({ body }) => body)]).toEqual(["for tea", [], ["tea", "tea", "tea"]]);
  expect(new Set(got.map(({ key }) => key)).size).toBe(1);
  answers = [[409, { "retry-after": "60" }]];
  const late = await inStep(async () => await ((await idempotentFetch(url, post)) as Response).text());
  expect([late.result, late.thrown.length]).toEqual(["for tea", 1]);
  expect(late.thrown[0]).toMatchObject({ code: "RETRYABLE", status: 409, retryDelayMs: 60_000 });
});

it("takes a 409 for the result where the caller reads it", async () => {
  answers = [
    [409, { "retry-after": "0" }, "in flight"],
    [409, {}, "already processed"],
  ];
  const { result } = await inStep(
    async () =>
      await idempotentFetch(url, {
        ...post,
        onConflict: async (response) => {
          const text = await response.text();
          return text === "already processed" ? { text } : undefined;
        },
      }),
  );
  expect([result, got.length]).toEqual([{ text: "already processed" }, 2]);
});

it("keeps the body's keys apart from those of reconcile", async () => {
  const c = cluster();
  const asks = step(
    "outbound//asks",
    async () => {
      await durableFetch(url, { method: "POST", body: "acts" });
      if (getStepMetadata().attempt === 1) throw new RetryableError("again", { retryAfter: 1 });
    },
    {
      semantics: "at-most-once",
      reconcile: async () => void (await durableFetch(url, { method: "POST", body: "asks" })),
    },
  );
  const flow = workflow("outbound//asksFlow", async () => await asks());
  await c.process();
  await meanwhile(c, (await c.client.start(flow, [])).returnValue);
  const [first, asked, second] = got;
  expect([first?.body, asked?.body, second?.body]).toEqual(["acts", "asks", "acts"]);
  expect([second?.key, asked?.key]).toEqual([first?.key, `${first?.key}-ask`]);
});

it("warns once where a step is tried again for longer than its key is kept", async () => {
  const calls = async (): Promise<void> => {
    stripeOptions();
    stripeOptions();
  };
  const warnings = async (options: StepOptions, body: () => Promise<unknown> = calls) => {
    const { logs } = await inStep(body, options);
    return logs.filter(({ message }) => message.includes("idempotency keys"));
  };
  const daily = { initial: "12h", factor: 1, max: "12h" } as const;
  const [one, ...more] = await warnings({ maxRetries: 3, backoff: daily });
  expect(more).toEqual([]);
  expect(one).toMatchObject({
    level: "warn",
    fields: { retriesForMs: 36 * 3_600_000, keyRetentionMs: 86_400_000 },
  });
  expect(one?.message).toMatch(/for 2 days.*keeps its idempotency keys for 1 day/);
  expect(await warnings({ maxRetries: 2, backoff: daily })).toEqual([]);
  expect(await warnings({ maxRetries: 3, backoff: daily, deadline: "20h" })).toEqual([]);
  expect(await warnings({ maxRetries: 3, timeout: "10h", backoff: { initial: 1 } })).toHaveLength(1);
  expect(await warnings({ maxRetries: Number.POSITIVE_INFINITY, backoff: { initial: 1 } })).toHaveLength(1);
  expect(await warnings({ maxRetries: 3, backoff: daily }, async () => stripeOptions({ api: "v2" }))).toEqual(
    [],
  );
  const fetches = async () => void (await idempotentFetch(url, { ...post, keyRetention: "1m" }));
  expect(await warnings({ backoff: { initial: "30s" } }, fetches)).toHaveLength(1);
});

it("needs a step for a key", async () => {
  await expect(idempotentFetch(url, post)).rejects.toThrow(/a workflow or a step/);
  expect(() => stripeOptions()).toThrow(/a step/);
  const headers = { "idempotency-key": "own" };
  expect(await (await idempotentFetch(url, { ...post, headers })).text()).toBe("for tea");
  expect((await idempotentFetch(url)).status).toBe(200);
  expect((await durableFetch(url, post)).status).toBe(200);
  expect(got.map(({ key }) => key)).toEqual(["own", undefined, undefined]);
});
