import {
  type Context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from "@opentelemetry/api";

/**
 * The trace of a start in the headers of its run: `traceparent` of W3C Trace Context (https://www.w3.org/TR/trace-context/), and what the
 * program's propagator adds, such as `baggage`.
 */

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Writes the context of a start. */
export function write(context: Context, headers: Record<string, string>): void {
  propagation.inject(context, headers);
  const span = trace.getSpanContext(context);
  if (span === undefined || !isSpanContextValid(span)) return;
  headers.traceparent = `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`;
}

/** What is known of a run's start: its span, and a context without any span for what the run does. */
export function read(headers: Readonly<Record<string, string>>): {
  readonly start: SpanContext | null;
  readonly context: Context;
} {
  const context = trace.deleteSpan(propagation.extract(ROOT_CONTEXT, headers));
  const [, traceId, spanId, flags] = TRACEPARENT.exec(headers.traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return { start: null, context };
  const start = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return { start: isSpanContextValid(start) ? start : null, context };
}
