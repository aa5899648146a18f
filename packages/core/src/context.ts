import { contexts } from "./contexts.ts";
import type { StepOptions } from "./define/retry-policy.ts";
import { ContextError, NonDeterminismError } from "./errors/index.ts";
import type { Execution } from "./interpreter/execution.ts";
import type { Headers } from "./interpreter/kinds/headers.ts";
import type { Logger } from "./logger.ts";
import type { StepMetadata, WorkflowMetadata } from "./metadata.ts";
import type { StepKeys } from "./outbound/step-keys.ts";
import type { SignalHost } from "./serialization/index.ts";
import type { AttemptAccess } from "./streams/access.ts";
import type { CreateRun, CreateRunResult, DeliverResult, Message, RunRecord, World } from "./world/index.ts";

/** Who is calling: a workflow function, a step body, or ordinary code. Travels in an `AsyncLocalStorage`. */

/** Inside a workflow function: requests go to its execution. */
export interface WorkflowContext {
  readonly kind: "workflow";
  readonly execution: Execution;
  /** What ties abort signals that it writes and reads. */
  readonly signals: SignalHost;
  /** Inside a `shield`. */
  readonly shielded?: boolean;
}

/** Inside one attempt of a step. */
export interface StepContext {
  readonly kind: "step";
  readonly step: StepMetadata;
  readonly workflow: WorkflowMetadata;
  /** The body waits for `ended`, the end of a run: others may use its slot meanwhile. */
  duringRun<T>(runId: string, ended: Promise<T>): Promise<T>;
  /** What ties abort signals that it writes and reads. */
  readonly signals: SignalHost;
  /** The World of the run. */
  readonly world: World;
  /** What travels with the run. */
  readonly headers: Headers;
  /** What the attempt writes to streams. */
  readonly streams: AttemptAccess;
  /** What the step may do to the store by itself. */
  readonly store: StepStore;
  /** The step's own options. */
  readonly options: StepOptions;
  readonly logger: Logger;
  /** The keys that this attempt sends. */
  readonly keys: StepKeys;
  /** The same with other keys. */
  withKeys(keys: StepKeys): StepContext;
  /** The attempt is over although its body goes on: what it returns no longer counts. */
  readonly isOver: boolean;
  /** How many runs this attempt has started. */
  starts: number;
}

/** What a step does to the store of its run. */
export interface StepStore extends Pick<World, "getNames" | "listEvents" | "listEndMail"> {
  createRun(request: CreateRun): Promise<CreateRunResult>;
  deliver(message: Message): Promise<DeliverResult>;
  getRun(runId: string): Promise<RunRecord | null>;
  /** A message of its own to a run; durable when it resolves. */
  send(runId: string, type: string, data: Uint8Array | null): Promise<void>;
  readonly logger: Logger;
  now(): number;
}

export type Context = WorkflowContext | StepContext;

/** The calling context, or `undefined` in ordinary code. */
export function currentContext(): Context | undefined {
  return contexts.getStore() as Context | undefined;
}

/** The execution of the calling workflow, for the determinism guard: one look-up, nothing else. */
export function guardedExecution(): Execution | undefined {
  const context = currentContext();
  return context?.kind === "workflow" ? context.execution : undefined;
}

/** The execution that the caller belongs to; throws a `ContextError` naming `what` outside a workflow. */
export function currentExecution(what: string): Execution {
  const context = currentContext();
  if (context?.kind === "workflow") return context.execution;
  throw new ContextError(what, "a workflow");
}

/** Refuses, in a workflow, what acts or looks outside the run: a replay would do it again. */
export function refuseInWorkflow(what: string, instead = "Call it in a step."): void {
  const context = currentContext();
  if (context?.kind === "workflow") throw new NonDeterminismError(what, context.execution.describe, instead);
}
