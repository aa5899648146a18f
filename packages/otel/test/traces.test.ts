import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { W3CBaggagePropagator } from "@opentelemetry/core";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { createHook, step, workflow } from "@perdure/core";
import { resumeHook, start } from "@perdure/core/api";
import { registerOpenTelemetry } from "@perdure/otel";
import { expect, it, onTestFinished } from "vitest";
import { type Traces, traces, working } from "./sdk.ts";

/** Traces, and what is registered for this test alone. */
function traced(): Traces {
  const all = traces();
  onTestFinished(registerOpenTelemetry({ tracerProvider: all.provider, meterProvider: null }));
  return all;
}

const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
const traceOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().traceId;
const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId;
const linksOf = (span: ReadableSpan | undefined): readonly string[] =>
  span?.links.map((link) => link.context.spanId) ?? [];

const inner: (string | undefined)[] = [];
const baggage: (string | undefined)[] = [];
let failures = 0;
const charge = step(
  "workflow-ids/charge",
  async () => {
    inner.push(trace.getActiveSpan()?.spanContext().spanId);
    baggage.push(propagation.getBaggage(context.active())?.getEntry("tenant")?.value);
    if (failures-- > 0) throw new Error("503");
    return "charged";
  },
  { backoff: () => 1 },
);
const order = workflow("workflow//./src/orders//order", async () => await charge());

it("a tracer that fails changes nothing for the step: its body is called once", async () => {
  for (const failing of ["startSpan", "end"] as const) {
    const { provider } = traces();
    const broken = (): never => {
      throw new Error("exporter");
    };
    const tracer = provider.getTracer("test");
    const startSpan: typeof tracer.startSpan = (...args) => {
      const span = tracer.startSpan(...args);
      return failing === "end" ? Object.assign(span, { end: broken }) : broken();
    };
    const tracerProvider = { getTracer: () => ({ ...tracer, startSpan }) } as never;
    const stop = registerOpenTelemetry({ tracerProvider, meterProvider: null });
    onTestFinished(stop);
    await working();
    const before = inner.length;
    failures = 0;
    expect(await (await start(order, [])).returnValue).toBe("charged");
    expect(inner.length - before).toBe(1);
    stop();
  }
});

it("traces a start, its run and the steps, each trace linked with the start", async () => {
  const { provider, spans } = traced();
  await working();
  failures = 1;
  inner.length = 0;
  const request = provider.getTracer("test").startSpan("GET /orders");
  const run = await context.with(trace.setSpan(context.active(), request), () => start(order, []));
  request.end();
  expect(await run.returnValue).toBe("charged");
  await expect.poll(() => spans("workflow.execute order").length).toBe(1);

  const [started] = spans("workflow.start");
  const [executed] = spans("workflow.execute order");
  const steps = spans("step.execute workflow-ids/charge");
  const about = { "workflow.name": "workflow//./src/orders//order", "workflow.run.id": run.runId };
  expect(started?.kind).toBe(SpanKind.PRODUCER);
  expect([traceOf(started), parentOf(started)]).toEqual([traceOf(request as never), idOf(request as never)]);
  expect(started?.attributes).toEqual({ ...about, "workflow.start.outcome": "created" });
  expect(executed?.kind).toBe(SpanKind.CONSUMER);
  expect(traceOf(executed)).not.toBe(traceOf(started));
  expect(linksOf(executed)).toEqual([idOf(started)]);
  expect(executed?.attributes).toEqual({
    ...about,
    "workflow.run.status": "completed",
    "workflow.execution.outcome": "completed",
  });
  expect(steps.map(parentOf)).toEqual([idOf(executed), idOf(executed)]);
  expect(steps.map(traceOf)).toEqual([traceOf(executed), traceOf(executed)]);
  expect(inner).toEqual(steps.map(idOf));
  expect(steps.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR, SpanStatusCode.UNSET]);
  expect(steps[0]?.events.map(({ name }) => name)).toEqual(["exception"]);
  expect(steps[1]?.attributes).toEqual({
    ...about,
    "step.name": "workflow-ids/charge",
    "step.id": expect.stringMatching(/^step_/),
    "step.attempt": 2,
  });
});

it("has one trace for each execution of a run that waits, all linked with its start", async () => {
  const { spans } = traced();
  await working();
  const waits = workflow("otel/waits", async () => {
    await createHook({ token: "otel/waits" });
    return await charge();
  });
  const run = await start(waits, []);
  await expect.poll(() => spans("workflow.execute otel/waits").length).toBe(1);
  await resumeHook("otel/waits", null);
  await run.returnValue;
  await expect.poll(() => spans("workflow.execute otel/waits").length).toBe(2);
  const executions = spans("workflow.execute otel/waits");
  const [started] = spans("workflow.start");
  expect(executions.map(linksOf)).toEqual([[idOf(started)], [idOf(started)]]);
  expect(executions.map(({ attributes }) => attributes["workflow.execution.outcome"])).toEqual([
    "parked",
    "completed",
  ]);
  expect(new Set(executions.map(traceOf)).size).toBe(2);
});

it("has the starts of a run's code in the run's trace, and says what failed", async () => {
  const { spans } = traced();
  await working();
  const child = workflow("otel/child", async () => {
    throw new RangeError("too far");
  });
  const startsOne = step("otel/startsOne", async () => (await start(child, [])).runId);
  const parent = workflow("otel/parent", async () => {
    await (await start(child, [])).returnValue.catch(() => {});
    await startsOne();
  });
  const run = await start(parent, []);
  await run.returnValue;
  await expect.poll(() => spans("workflow.execute otel/child").length).toBe(2);
  const [, inWorkflow, inStep] = spans("workflow.start");
  const executions = spans("workflow.execute otel/parent");
  expect(executions.map(idOf)).toContain(parentOf(inWorkflow));
  expect(inWorkflow?.attributes["workflow.start.caller"]).toBe(run.runId);
  expect(parentOf(inStep)).toBe(idOf(spans("step.execute otel/startsOne")[0]));
  const [failed] = spans("workflow.execute otel/child");
  expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message: "too far" });
  expect(failed?.events[0]?.attributes?.["exception.type"]).toBe("RangeError");
});

it("says of a start which run it gave, or why it gave none", async () => {
  const { spans } = traced();
  await working();
  const keyed = workflow("otel/keyed", async (n: number) => n);
  const first = await start(keyed, [1], { idempotencyKey: "otel" });
  await start(keyed, [1], { idempotencyKey: "otel" });
  await expect(start(keyed, [2], { idempotencyKey: "otel" })).rejects.toThrow();
  const starts = spans("workflow.start");
  expect(starts.map(({ attributes }) => attributes["workflow.start.outcome"])).toEqual([
    "created",
    "found",
    "failed",
  ]);
  expect(starts[1]?.attributes["workflow.run.id"]).toBe(first.runId);
  expect(starts[2]?.status.code).toBe(SpanStatusCode.ERROR);
});

it("brings what the program's propagator carries to the steps", async () => {
  traced();
  propagation.setGlobalPropagator(new W3CBaggagePropagator());
  await working();
  baggage.length = 0;
  const active = propagation.setBaggage(
    context.active(),
    propagation.createBaggage({ tenant: { value: "acme" } }),
  );
  const run = await context.with(active, () => start(order, []));
  await run.returnValue;
  expect(baggage).toEqual(["acme"]);
});

it("does nothing any more when it was taken away", async () => {
  const all = traces();
  registerOpenTelemetry({ tracerProvider: all.provider, meterProvider: null })();
  await working();
  await (await start(order, [])).returnValue;
  expect(all.spans("workflow.start")).toEqual([]);
});
