import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { trace } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { step, workflow } from "perdure";
import { start } from "perdure/api";
import { registerOpenTelemetry } from "perdure/otel";
import { configure, createWorker, registerInterceptor, sqliteWorld } from "perdure/runtime";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

// The samples of docs/telemetry.md: each region is shown there, and executed here.

const world = sqliteWorld({ path: ":memory:" });
const worker = createWorker({ world });
const addOne = step("telemetry//addOne", async (n: number) => n + 1);
const count = workflow("telemetry//count", async (n: number) => await addOne(n));

beforeAll(async () => {
  configure({ world, worker: false });
  await worker.start();
});
afterAll(async () => {
  await worker.close();
  await world.close();
});

test("spans go where the program's SDK sends them", async () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  // #region telemetry
  const stop = registerOpenTelemetry();
  // #endregion
  const run = await start(count, [1]);
  await run.returnValue;
  await expect
    .poll(() => exporter.getFinishedSpans().map(({ name }) => name))
    .toEqual(["workflow.start", "step.execute telemetry//addOne", "workflow.execute telemetry//count"]);
  stop();
  trace.disable();
  await provider.shutdown();
});

test("metrics for Prometheus", async () => {
  // #region metrics for Prometheus
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({ readers: [exporter] });
  const stop = registerOpenTelemetry({ meterProvider });
  const server = createServer((request, response) => {
    if (request.url === "/metrics") exporter.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end();
  });
  // #endregion
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await (await start(count, [2])).returnValue;
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(answer.status).toBe(200);
  const text = await answer.text();
  expect(text).toContain(
    'perdure_runs_ended_total{workflow_name="telemetry//count",workflow_run_status="completed"',
  );
  expect(text).toMatch(/^perdure_slots_limit\{.*\} 100$/m);
  stop();
  await meterProvider.shutdown();
  await new Promise((resolve) => server.close(resolve));
});

test("an interceptor", async () => {
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  // #region an interceptor
  const remove = registerInterceptor({
    onStart({ headers }) {
      headers.tenant = "acme";
    },
    async aroundStep({ stepName, attempt, headers }, next) {
      console.log(stepName, attempt, headers.tenant);
      return await next();
    },
    onRunEnd({ workflowName, status }) {
      console.log(workflowName, status);
    },
  });
  // #endregion
  await (await start(count, [3])).returnValue;
  await expect
    .poll(() => said.mock.calls)
    .toEqual([
      ["telemetry//addOne", 1, "acme"],
      ["telemetry//count", "completed"],
    ]);
  remove();
  said.mockRestore();
});
