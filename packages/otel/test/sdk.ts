import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { configure, createWorker, shutdown, type World } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { onTestFinished } from "vitest";

/** The real SDK with exporters in memory, and a World in memory with a worker. */

/** Spans of a test, by their names in the order of their ends. */
export interface Traces {
  readonly provider: BasicTracerProvider;
  spans(name: string): readonly ReadableSpan[];
}

/** Traces into memory; contexts travel in an `AsyncLocalStorage`, as they do under the SDK for Node. */
export function traces(): Traces {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(async () => {
    await provider.shutdown();
    trace.disable();
    context.disable();
    propagation.disable();
  });
  return {
    provider,
    spans: (name) => exporter.getFinishedSpans().filter((span) => span.name === name),
  };
}

/** The process's World, with a worker. */
export async function working(): Promise<World> {
  const world = memoryWorld();
  configure({ world, worker: false });
  const worker = createWorker({ world, logger: "silent", signals: [] });
  await worker.start();
  onTestFinished(async () => {
    await worker.close();
    await shutdown();
  });
  return world;
}
