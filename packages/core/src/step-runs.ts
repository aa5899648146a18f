import { refuseTied } from "./api/joined-start.ts";
import { Run } from "./api/run.ts";
import { clientOf } from "./api/runtime.ts";
import { ONE_WORLD, type StartOptions, startRequest } from "./api/start-request.ts";
import type { StepContext } from "./context.ts";
import { startedRun } from "./engine/system-steps/start-run.ts";
import { childRunId } from "./ids.ts";
import { ON_PARENT_END, PARENT } from "./interpreter/kinds/attributes.ts";
import { createRunRequest, type NewRun } from "./interpreter/new-run.ts";
import { largestValue, storable } from "./serialization/index.ts";
import { PassedStreams } from "./streams/passed-streams.ts";

/**
 * Starts a run from a step: in the World of the step's run, which is its parent. Without a key of its own it has one that is
 * derived from the step, so that another attempt gets the same run.
 */
export async function startInStep<T>(
  context: StepContext,
  fn: unknown,
  args: unknown[],
  options: StartOptions,
): Promise<Run<T>> {
  const passed = new PassedStreams("args", { runId: null, writables: false });
  const { keyAt, onConflict, ...asked } = startRequest(fn, args, options, context.signals, passed);
  const { world, store, step, workflow } = context;
  if (options.world !== undefined && options.world !== world)
    throw new TypeError(`start({ world }): ${ONE_WORLD}`);
  storable(asked.args, "args", largestValue(world));
  if (options.onParentEnd === "cancel") {
    throw new TypeError(
      'onParentEnd: "cancel" is for runs that a workflow starts; one that a step starts is cancelled with its parent, or "leave".',
    );
  }
  context.starts++;
  const id = `${step.stepId}/${context.starts}`;
  const now = store.now();
  const attributes = {
    ...asked.attributes,
    [PARENT]: workflow.workflowRunId,
    ...(options.onParentEnd === "leave" && { [ON_PARENT_END]: "leave" }),
  };
  // The arguments of another attempt may differ, by a time for example: the run is that of the first one.
  const key = keyAt(now) ?? { key: id, fingerprint: "", freeAt: null };
  const run: NewRun = { ...asked, runId: childRunId(id, now), attributes, key };
  if (options.tx !== undefined) {
    refuseTied("start({ tx })", passed.any);
    return await clientOf(world).joinedStart<T>(options.tx, { run, onConflict });
  }
  const result = await store.createRun(createRunRequest(run, { at: now, lease: null, mail: [] }));
  const runId = startedRun({ run, onConflict }, result);
  if (passed.any) serve(context, passed, runId, run);
  return new Run<T>(clientOf(world), runId);
}

/** A run that the attempt before has started reads what this one passes; one with a key of its own has other arguments. */
function serve(context: StepContext, passed: PassedStreams, runId: string, asked: NewRun): void {
  const own = runId === asked.runId || asked.key?.fingerprint === "";
  if (own) context.streams.feed(passed, runId);
  else void passed.giveUp(new Error(`The key has the run ${runId}, which has arguments of its own.`));
}
