import { keyOfArgs, workflowOptions } from "../define/workflow-options.ts";
import { decode } from "../serialization/index.ts";
import type { NewEvent } from "../world/index.ts";
import type { Execution, StateKey } from "./execution.ts";
import type { KindState } from "./kind-state.ts";
import { type AcquireInput, admitRunIn } from "./kinds/lock.ts";
import { beginningIn } from "./kinds/run.ts";
import { isCallOf } from "./kinds/system-step.ts";

/** The `concurrency` of a workflow: a lock that a run acquires before its first line. */

interface Admission extends KindState {
  /** What the journal says that was asked; `null`: nothing. `undefined`: the code has not begun. */
  recorded: AcquireInput | null | undefined;
}

function admissionOf(execution: Execution): Admission {
  return execution.state(ADMISSION);
}

const ADMISSION: StateKey<Admission> = { name: "admission", make: newAdmission };

function newAdmission(): Admission {
  return { recorded: undefined };
}

/** Before a replay: a run that has begun goes by the options of that time. */
export function knowAdmission(execution: Execution, events: readonly NewEvent[]): void {
  if (beginningIn(events) === undefined) return;
  const asked = events.find((event) => isCallOf(event, "admit_run"));
  admissionOf(execution).recorded = asked === undefined ? null : (decode(asked.data) as AcquireInput);
}

/** Waits until the run may begin; `null` if it may. A run that is skipped ends, and this never resolves. */
export function admission(execution: Execution, args: readonly unknown[]): Promise<void> | null {
  const { recorded } = admissionOf(execution);
  const input = recorded === undefined ? inputFor(execution.workflow, args) : recorded;
  return input === null ? null : admit(execution, input);
}

async function admit(execution: Execution, input: AcquireInput): Promise<void> {
  const result = await admitRunIn(execution, input);
  if (result.admitted) return;
  const holder = result.holder === null ? "others" : `run "${result.holder}"`;
  execution.endCancelled(
    `not begun, since ${holder} had the place of its concurrency key (limit ${input.limit}, onLimit skip)`,
  );
  await new Promise(() => {});
}

function inputFor(workflow: string, args: readonly unknown[]): AcquireInput | null {
  const { concurrency } = workflowOptions(workflow);
  if (concurrency === undefined) return null;
  const { limit = 1, onLimit = "queue" } = concurrency;
  const key = keyOfArgs(`Workflow ${workflow}: concurrency`, concurrency.key, args);
  return {
    key: `$workflow:${workflow.length}:${workflow}:${key}`,
    limit,
    wait: onLimit !== "skip",
    cancelOldest: onLimit === "cancel-oldest",
  };
}
