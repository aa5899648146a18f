import { refuseTied } from "./api/joined-start.ts";
import { Run } from "./api/run.ts";
import { clientOf } from "./api/runtime.ts";
import { ONE_WORLD, type StartOptions, type StartRequest, startRequest } from "./api/start-request.ts";
import type { StepContext } from "./context.ts";
import { waitInTurn } from "./engine/system-steps/run-once.ts";
import { executeStart, type Started } from "./engine/system-steps/start-run.ts";
import { WorkflowRunNotFoundError } from "./errors/index.ts";
import { childRunId } from "./ids.ts";
import { CALLER, ON_PARENT_END } from "./interpreter/kinds/attributes.ts";
import type { NewRun } from "./interpreter/new-run.ts";
import { PARENT } from "./parent.ts";
import { largestValue, storable } from "./serialization/index.ts";
import { PassedStreams } from "./streams/passed-streams.ts";

/** Runs as a step sees them: they are in the World of the step's run. */

/** Starts a run, whose parent is the step's run. Another attempt of the step gets the same one. */
export async function startInStep<T>(
  context: StepContext,
  fn: unknown,
  args: unknown[],
  options: StartOptions,
): Promise<Run<T>> {
  const passed = new PassedStreams("args", { runId: null, writables: false });
  const request = startRequest(fn, args, options, context.signals, passed);
  const { world, workflow } = context;
  if (options.world !== undefined && options.world !== world)
    throw new TypeError(`start({ world }): ${ONE_WORLD}`);
  if (options.onParentEnd === "cancel") {
    throw new TypeError(
      'onParentEnd: "cancel" is for runs that a workflow starts; one that a step starts is cancelled with its parent, or "leave".',
    );
  }
  const attributes = {
    ...request.attributes,
    [PARENT]: workflow.workflowRunId,
    ...(options.onParentEnd === "leave" && { [ON_PARENT_END]: "leave" }),
  };
  const callId = newCallId(context);
  if (options.tx !== undefined) {
    refuseTied("start({ tx })", passed.any);
    return await clientOf(world).joinedStart<T>(options.tx, { ...request, attributes }, callId);
  }
  const started = await startFrom(context, { ...request, attributes }, callId, callId);
  const { runId } = started;
  if (passed.any) serve(context, passed, started);
  return new Run<T>(clientOf(world), runId);
}

/** Has the step executed once for the key; the run that does it. */
export async function onceInStep<T>(context: StepContext, request: StartRequest): Promise<Run<T>> {
  const { world, store, workflow } = context;
  const { workflowRunId: runId } = workflow;
  const id = newCallId(context);
  const started = await startFrom(context, { ...request, attributes: { [CALLER]: runId } }, id, undefined);
  // Another attempt may wait for another run.
  const watcher = { runId, id: `${id}/${context.step.attempt}` };
  if (started.type === "found") await waitInTurn(watcher, started.runId, store);
  return new Run<T>(clientOf(world), started.runId);
}

function newCallId(context: StepContext): string {
  context.starts++;
  return `${context.keys.base}/${context.starts}`;
}

/** Starts a run, again each time that one which had its key has ended. */
async function startFrom(
  { world, store, step, workflow }: StepContext,
  { keyAt, terms, ...asked }: StartRequest,
  id: string,
  callId: string | undefined,
): Promise<Started> {
  storable(asked.args, "args", largestValue(world));
  const now = store.now();
  const run: NewRun = { ...asked, runId: childRunId(id, now), key: keyAt(now) };
  for (;;) {
    const started = await executeStart({ run, ...terms }, workflow.workflowRunId, store, callId);
    if (started.type !== "awaits") return started;
    await clientOf(world).ended(started.runId, { signal: step.signal }).catch(unlessGone);
  }
}

/** A run that was deleted is as good as ended. */
function unlessGone(error: unknown): void {
  if (!WorkflowRunNotFoundError.is(error)) throw error;
}

/** A run that the attempt before has started reads what this one passes; another one has other arguments. */
function serve(context: StepContext, passed: PassedStreams, { type, runId }: Started): void {
  if (type === "created" || type === "again") context.streams.feed(passed, runId);
  else void passed.giveUp(new Error(`The key has the run ${runId}, which has arguments of its own.`));
}
