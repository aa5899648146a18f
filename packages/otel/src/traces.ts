import {
  type Context,
  context as contexts,
  diag,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { ExecutedRun, Interceptor } from "@perdure/core/runtime";
import { ATTRIBUTE, runAttributes, shortStep, shortWorkflow, stepAttributes } from "./attributes.ts";
import { read, write } from "./trace-context.ts";

/**
 * Spans of starts, executions and attempts. A run may take days and many processes, so it is no single trace: each execution in a
 * process is one, with its steps, and has a link to the span of the start.
 */

interface Execution {
  readonly span: Span;
  /** With the span in it. */
  readonly context: Context;
}

/** Traces what happens in this process. */
export function tracesInterceptor(tracer: Tracer): Interceptor {
  /** By run id. */
  const executions = new Map<string, Execution>();

  function begin(run: ExecutedRun): Execution {
    const { start, context } = read(run.headers);
    const span = tracer.startSpan(
      `workflow.execute ${shortWorkflow(run.workflowName)}`,
      {
        kind: SpanKind.CONSUMER,
        root: true,
        links: start === null ? [] : [{ context: start }],
        attributes: runAttributes(run),
      },
      context,
    );
    return { span, context: trace.setSpan(context, span) };
  }

  return {
    onStart(call) {
      const { callerRunId, headers } = call;
      // A workflow's starts are carried out outside of any context.
      const caller = callerRunId === null ? undefined : executions.get(callerRunId)?.context;
      const active = contexts.active();
      const parent = trace.getSpan(active) === undefined ? (caller ?? active) : active;
      const span = tracer.startSpan(
        "workflow.start",
        {
          kind: SpanKind.PRODUCER,
          attributes: {
            ...runAttributes(call),
            ...(callerRunId !== null && { [ATTRIBUTE.caller]: callerRunId }),
          },
        },
        parent,
      );
      write(trace.setSpan(parent, span), headers);
      return (outcome) => {
        span.setAttribute(ATTRIBUTE.start, outcome.type);
        if (outcome.type === "found") span.setAttribute(ATTRIBUTE.run, outcome.runId);
        if (outcome.type === "failed") fail(span, outcome.error);
        span.end();
      };
    },

    onExecute(run) {
      const execution = begin(run);
      executions.set(run.runId, execution);
      return (outcome) => {
        if (executions.get(run.runId) === execution) executions.delete(run.runId);
        execution.span.setAttribute(ATTRIBUTE.execution, outcome);
        execution.span.end();
      };
    },

    async aroundStep(call, next) {
      const parent = executions.get(call.runId)?.context ?? read(call.headers).context;
      const name = `step.execute ${shortStep(call.stepName)}`;
      const span = safely(() => tracer.startSpan(name, { attributes: stepAttributes(call) }, parent));
      if (span === undefined) return await next();
      try {
        return await contexts.with(trace.setSpan(parent, span), next);
      } catch (error) {
        safely(() => fail(span, error));
        throw error;
      } finally {
        safely(() => span.end());
      }
    },

    onRunEnd({ runId, status, error }) {
      const span = executions.get(runId)?.span;
      span?.setAttribute(ATTRIBUTE.status, status);
      if (status === "failed" && span !== undefined) fail(span, error);
    },
  };
}

/** What a tracer, or a processor behind it, throws must not be taken for what the step threw: its work would be done again. */
function safely<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    diag.error("perdure: a tracer failed; the step goes on without it", error);
    return undefined;
  }
}

function fail(span: Span, error: unknown): void {
  if (error instanceof Error) span.recordException(error);
  else span.recordException(said(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: said(error) });
}

/** Of an object that is no error, nothing: what is in it may be anybody's. */
function said(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return typeof thrown === "object" && thrown !== null ? "an object that is not an Error" : String(thrown);
}
