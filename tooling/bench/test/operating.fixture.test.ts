import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { MemoryState, memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { continueAsNew, createHook, FatalError, step, workflow } from "perdure";
import { getRun, resumeHook, start } from "perdure/api";
import { registerOpenTelemetry } from "perdure/otel";
import { configure, createWorker, type Worker } from "perdure/runtime";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

// Traces and metrics with the real SDK, retention and health, on every World from one file. What is started here is executed by another instance of the
// World, so what links them has gone through the store. The cases are in packages/otel/test and packages/core/test/engine.

const folder = mkdtempSync(join(tmpdir(), "perdure-telemetry-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const state = new MemoryState();
const worlds: Readonly<Record<string, (namespace: string) => Promise<World>>> = {
  memory: async () => memoryWorld({ state }),
  sqlite: async () => sqliteWorld({ path: join(folder, "perdure.db") }),
  postgres: async (namespace) => postgresWorld({ ...(await sharedPostgres()), namespace }),
  redis: async (namespace) => redisWorld({ ...(await sharedRedis()), namespace }),
  mongodb: async (namespace) => mongodbWorld({ url: (await sharedMongodb()).url, namespace }),
};

const POLL = { timeout: 30_000, interval: 50 };

let broken = true;
const pays = step("telemetry//pays", async (n: number) => {
  if (broken) throw new FatalError("declined");
  return n;
});
const child = workflow("telemetry//child", async (n: number) => await pays(n));
const family = workflow("telemetry//family", async (token: string): Promise<number> => {
  const got = await createHook<number>({ token });
  const result = await (await start(child, [got])).returnValue;
  return got > 1 ? result : await continueAsNew([token]);
});

const spans = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({
  exporter: metricExporter,
  exportIntervalMillis: 2 ** 31 - 1,
});
const meterProvider = new MeterProvider({ readers: [reader] });
let unregister: () => void;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  unregister = registerOpenTelemetry({ tracerProvider, meterProvider });
});
afterAll(async () => {
  unregister();
  await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);
  context.disable();
});

const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;
const linksOf = (span: ReadableSpan): readonly string[] => span.links.map((link) => link.context.spanId);

function of(name: string, workflowName: string): readonly ReadableSpan[] {
  return spans
    .getFinishedSpans()
    .filter((span) => span.name === name && span.attributes["workflow.name"] === workflowName);
}

async function sumOf(name: string, workflowName?: string): Promise<number> {
  const { resourceMetrics } = await reader.collect();
  const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  const points = all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  return points
    .filter(({ attributes }) => workflowName === undefined || attributes["workflow.name"] === workflowName)
    .reduce((sum, { value }) => sum + (typeof value === "object" ? value.count : value), 0);
}

describe.each(Object.keys(worlds))("on %s", (name) => {
  let here: World;
  let there: World;
  let worker: Worker;

  beforeAll(async () => {
    const space = `t${randomUUID().replaceAll("-", "").slice(0, 12)}`;
    const make = worlds[name] as (namespace: string) => Promise<World>;
    [here, there] = [await make(space), await make(space)];
    configure({ world: here, worker: false });
    worker = createWorker({ world: there, pollInterval: 200, logger: "silent" });
    await worker.start();
  }, 120_000);
  afterAll(async () => {
    await worker.close();
    await there.close();
    await here.close();
  });
  beforeEach(() => spans.reset());

  test("a start, its executions, its steps and its children are linked over the store", async () => {
    broken = false;
    const token = `${name} family`;
    const ended = await sumOf("perdure.runs.ended", "telemetry//family");
    const lag = await sumOf("perdure.claim.lag", "telemetry//family");
    const run = await start(family, [token]);
    for (const payload of [1, 2]) {
      await expect
        .poll(
          () =>
            resumeHook(token, payload).then(
              () => true,
              () => false,
            ),
          POLL,
        )
        .toBe(true);
    }
    expect(await run.returnValue).toBe(2);
    const executed = "workflow.execute telemetry//family";
    await expect
      .poll(() => of(executed, "telemetry//family").at(-1)?.attributes, POLL)
      .toMatchObject({
        "workflow.run.status": "completed",
      });

    const [started] = of("workflow.start", "telemetry//family") as [ReadableSpan];
    const executions = of(executed, "telemetry//family");
    const starts = of("workflow.start", "telemetry//child");
    const children = of("workflow.execute telemetry//child", "telemetry//child");
    const steps = of("step.execute telemetry//pays", "telemetry//child");
    expect(new Set(executions.flatMap(linksOf))).toEqual(new Set([idOf(started)]));
    for (const one of starts) expect(executions.map(idOf)).toContain(parentOf(one));
    expect(children.flatMap(linksOf).sort()).toEqual(starts.map(idOf).sort());
    expect(steps.map(parentOf).sort()).toEqual(children.map(idOf).sort());

    expect(await sumOf("perdure.runs.ended", "telemetry//family")).toBe(ended + 1);
    expect(await sumOf("perdure.claim.lag", "telemetry//family")).toBeGreaterThan(lag);
    expect(await sumOf("perdure.commit.duration")).toBeGreaterThan(3);
    expect(await sumOf("perdure.runs.backlog")).toBe(0);
    expect(await sumOf("perdure.slots.limit")).toBe(100);
  });

  test("a retry is linked with the call that asked for it", async () => {
    broken = true;
    const run = await start(child, [3]);
    await expect(run.returnValue).rejects.toThrow("declined");
    broken = false;
    const next = await getRun<number>(run.runId).retry();
    expect(await next.returnValue).toBe(3);
    const executed = "workflow.execute telemetry//child";
    await expect.poll(() => of(executed, "telemetry//child").length, POLL).toBe(2);
    const starts = of("workflow.start", "telemetry//child");
    expect(starts.map(({ attributes }) => attributes["workflow.run.id"])).toEqual([run.runId, next.runId]);
    expect(of(executed, "telemetry//child").flatMap(linksOf)).toEqual(starts.map(idOf));
  });

  test("a worker deletes what is older than it is told to keep, with its key, and nothing else", async () => {
    broken = false;
    const idempotencyKey = `${name} kept`;
    const old = await start(child, [4], { idempotencyKey });
    expect(await old.returnValue).toBe(4);
    broken = true;
    const failed = await start(child, [5]);
    await expect(failed.returnValue).rejects.toThrow("declined");
    const cleaner = createWorker({
      world: there,
      workflows: [],
      retention: { completed: 300 },
      logger: "silent",
    });
    await cleaner.start();
    await expect.poll(() => old.exists, POLL).toBe(false);
    expect(await failed.status).toBe("failed");
    await cleaner.close();
    broken = false;
    const again = await start(child, [4], { idempotencyKey });
    expect(again.runId).not.toBe(old.runId);
    expect(await again.returnValue).toBe(4);
  });

  test("a worker says how it is: the store answers, and nothing that is due waits", async () => {
    await expect.poll(() => worker.health().heldRuns, POLL).toBe(0);
    const { ok, reasons, store, claims, oldestDue, slots } = worker.health();
    expect({ ok, reasons, store }).toEqual({
      ok: true,
      reasons: [],
      store: { reachable: true, awaySince: null, error: null },
    });
    expect(claims.answeredAt).toBeInstanceOf(Date);
    expect(oldestDue).toBeNull();
    expect(slots).toEqual({ limit: 100, inUse: 0, queued: 0 });
  });
});
