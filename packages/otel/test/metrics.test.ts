import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { FatalError, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { createWorker, type Measurement } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { registerOpenTelemetry } from "@perdure/otel";
import { expect, it, onTestFinished } from "vitest";
import { metricsInterceptor } from "../src/metrics.ts";
import { working } from "./sdk.ts";

/** What is measured from now on. */
function measured() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  // Collected by hand: the interval never comes.
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 31 - 1 });
  const provider = new MeterProvider({ readers: [reader] });
  const unregister = registerOpenTelemetry({ meterProvider: provider, tracerProvider: null });
  onTestFinished(async () => {
    unregister();
    await provider.shutdown();
  });
  const collect = async () => (await reader.collect()).resourceMetrics;
  return {
    collect,
    meter: provider.getMeter("perdure"),
    unregister,
    /** The values of a metric, by the attributes that are named. */
    async values(name: string, ...attributes: readonly string[]): Promise<Record<string, unknown>> {
      const all = (await collect()).scopeMetrics.flatMap(({ metrics }) => metrics);
      const points = all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
      return Object.fromEntries(
        points.map(({ attributes: of, value }) => [
          attributes.map((attribute) => of[attribute]).join(" "),
          typeof value === "object" ? value.count : value,
        ]),
      );
    },
  };
}

let broken = 1;
const charges = step(
  "otel/charges",
  async () => {
    if (broken-- > 0) throw new Error("503");
  },
  { backoff: () => 1 },
);
const pays = workflow("otel/pays", async () => await charges());
const declines = workflow("otel/declines", async () => {
  throw new FatalError("declined");
});

it("counts runs, attempts and what the engine does", async () => {
  const { values } = measured();
  await working();
  broken = 1;
  const run = await start(pays, []);
  await run.returnValue;
  await (await start(declines, [])).returnValue.catch(() => {});
  expect(await values("perdure.runs.started", "workflow.name")).toEqual({
    "otel/pays": 1,
    "otel/declines": 1,
  });
  expect(await values("perdure.runs.ended", "workflow.name", "workflow.run.status")).toEqual({
    "otel/pays completed": 1,
    "otel/declines failed": 1,
  });
  const outcomes = { "otel/charges failed": 1, "otel/charges completed": 1 };
  expect(await values("perdure.step.attempts", "step.name", "step.outcome")).toEqual(outcomes);
  expect(await values("perdure.step.duration", "step.name", "step.outcome")).toEqual(outcomes);
  expect(Object.values(await values("perdure.commit.duration"))[0]).toBeGreaterThan(3);
  expect(await values("perdure.commit.batch_size")).toEqual(await values("perdure.commit.duration"));
});

it("looks at the workers and their World when metrics are collected", async () => {
  const { values, unregister } = measured();
  const world = await working();
  let release: () => void = () => {};
  const held = step("otel/held", () => new Promise<void>((resolve) => (release = resolve)));
  const holds = workflow("otel/holds", async () => await held());
  const run = await start(holds, []);
  await expect.poll(async () => Object.values(await values("perdure.slots.in_use"))).toEqual([1]);
  expect(Object.values(await values("perdure.slots.limit"))).toEqual([100]);
  expect(Object.values(await values("perdure.runs.held"))).toEqual([1]);
  expect(Object.values(await values("perdure.workers.open"))).toEqual([1]);
  expect(Object.values(await values("perdure.workers.healthy"))).toEqual([1]);
  expect(Object.values(await values("perdure.due.lag"))).toEqual([0]);
  expect(await values("perdure.runs.backlog", "world.name")).toEqual({ memory: 0 });
  await start({ workflowId: "otel/nobody has it" }, []);
  expect(await values("perdure.runs.backlog", "world.name")).toEqual({ memory: 1 });

  const second = createWorker({ world, logger: "silent", signals: [] });
  await second.start();
  const limits = async () => Object.values(await values("perdure.slots.limit"));
  expect(await limits()).toEqual([200]);
  await second.close();
  expect(await limits()).toEqual([100]);
  release();
  await run.returnValue;
  unregister();
  const third = createWorker({ world, logger: "silent", signals: [] });
  await third.start();
  // What was seen last.
  expect(await limits()).toEqual([100]);
  await third.close();
});

it("has every metric in the dashboard for Grafana, which asks for no other", async () => {
  const { collect, meter } = measured();
  await working();
  // Prometheus knows a metric by its first value.
  const { onStart, onRunEnd, onMeasure } = metricsInterceptor(meter);
  const of = { workflowName: "otel/pays", runId: "wrun_1" };
  onStart?.({ ...of, callerRunId: null, headers: {} })?.({ type: "created", runId: "wrun_1" });
  onRunEnd?.({ ...of, world: memoryWorld(), status: "failed", headers: {}, error: undefined });
  const measurements: readonly Measurement[] = [
    { ...of, type: "step_attempt", stepName: "otel/charges", outcome: "timeout", duration: 1_000 },
    { ...of, type: "claim", lag: 20 },
    { type: "commit", runs: 3, duration: 5 },
    { ...of, type: "replay", events: 7, duration: 2 },
    { ...of, type: "diverged" },
    { ...of, type: "lease_lost" },
  ];
  for (const measurement of measurements) onMeasure?.(measurement);

  const exposed = new PrometheusSerializer().serialize(await collect());
  const names = [...exposed.matchAll(/^# TYPE (perdure_\w+) (\w+)$/gm)];
  const series = names.flatMap(([, name, type]) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [`${name}`],
  );
  const dashboard = readFileSync(join(import.meta.dirname, "../grafana.json"), "utf8");
  const asked = new Set([...dashboard.matchAll(/perdure_\w+/g)].map(([name]) => name));
  expect([...asked].filter((name) => !series.includes(name))).toEqual([]);
  const families = names.map(([, name]) => name);
  expect(families.filter((name) => ![...asked].some((one) => one.startsWith(`${name}`)))).toEqual([]);
  expect(families).toHaveLength(19);

  const labels = new Set([...exposed.matchAll(/(\w+)="/g)].map(([, name]) => name));
  const { panels } = JSON.parse(dashboard) as {
    readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  };
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const used = queries.flatMap((query) => [
    ...[...query.matchAll(/(\w+)=~?"/g)].map(([, name]) => name),
    ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list?.split(", ")),
  ]);
  expect(used.filter((name) => !labels.has(name))).toEqual([]);
});
