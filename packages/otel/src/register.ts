import { type Meter, metrics, type Tracer, trace } from "@opentelemetry/api";
import { registerInterceptor } from "@perdure/core/runtime";
import { observeWorkers } from "./gauges.ts";
import { metricsInterceptor } from "./metrics.ts";
import { tracesInterceptor } from "./traces.ts";

/** What {@link registerOpenTelemetry} takes. Its types are there without `@opentelemetry/api`, which not every program has. */
export interface OpenTelemetryOptions {
  /** A `TracerProvider`: where spans go; `null`: there are none. Default: the global one, also one that is registered later. */
  readonly tracerProvider?: { getTracer(name: string): unknown } | null;
  /** A `MeterProvider`: where metrics go; `null`: there are none. Default: the global one, which has to be registered before. */
  readonly meterProvider?: { getMeter(name: string): unknown } | null;
  /**
   * Whether `perdure.runs.backlog` is measured: each collection asks each World of this process's workers once, how many runs are
   * pending. Default true.
   */
  readonly backlog?: boolean;
}

/** By which name a backend knows where spans and metrics come from. */
const SCOPE = "perdure";

/**
 * Has the starts, executions, steps and ends of runs in this process traced and measured. `docs/telemetry.md` lists the spans and
 * metrics. Call it once, where the program starts, after the SDK was started.
 *
 * @returns a function that takes it away again
 * @example
 * ```ts
 * const stop = registerOpenTelemetry();
 * ```
 */
export function registerOpenTelemetry(options: OpenTelemetryOptions = {}): () => void {
  const { tracerProvider = trace, meterProvider = metrics, backlog = true } = options;
  const undo: (() => void)[] = [];
  if (tracerProvider !== null)
    undo.push(registerInterceptor(tracesInterceptor(tracerProvider.getTracer(SCOPE) as Tracer)));
  if (meterProvider !== null) {
    const meter = meterProvider.getMeter(SCOPE) as Meter;
    undo.push(registerInterceptor(metricsInterceptor(meter)), observeWorkers(meter, { backlog }));
  }
  return () => {
    for (const take of undo.splice(0)) take();
  };
}
