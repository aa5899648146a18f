import { entityId } from "../ids.ts";
import { callClaim, hookClaim, singletonClaim, startClaim } from "../names.ts";
import type { Attributes, CreateRun, FirstClaim, FirstMail, NewEvent } from "../world/index.ts";
import { attributesGiven } from "./kinds/attributes.ts";
import { type Headers, headersGiven } from "./kinds/headers.ts";
import { hookHeld } from "./kinds/hook.ts";
import { runCreated } from "./kinds/run.ts";

/** What a new run is made of, whoever starts it. Crosses the journal in system steps. */
export interface NewRun {
  readonly runId: string;
  readonly workflow: string;
  /** The encoded arguments. */
  readonly args: Uint8Array | null;
  readonly attributes: Attributes;
  readonly key: StartKey | null;
  /** The token of a hook that the run has from the first moment. */
  readonly hookToken: string | null;
  /** Of a workflow with the option `singleton`: the key, and what becomes of the run that has it. */
  readonly singleton?: { readonly key: string; readonly mode: "skip" | "cancel" } | undefined;
}

/** The key of a start. */
export interface StartKey {
  readonly key: string;
  readonly fingerprint: string;
  /** When it is free, if its run has ended; `null`: when the run is deleted. */
  readonly freeAt: number | null;
}

/** What happens to a new run in the same act. */
export interface Beginning {
  readonly at: number;
  readonly lease: CreateRun["lease"];
  /** What travels with it. */
  readonly headers: Headers;
  /** Messages to its hook. */
  readonly mail: readonly Omit<FirstMail, "id">[];
  /** The call in a step that starts it: another attempt of the step gets the same run. */
  readonly callId?: string;
  /** The run from which it takes its key over, if that has ended. */
  readonly from?: string | null;
}

/** The request that makes the run. */
export function createRunRequest(
  run: NewRun,
  { at, lease, headers, mail, callId, from = null }: Beginning,
): CreateRun {
  const { runId, workflow, args, attributes, key, hookToken, singleton } = run;
  const hookId = firstHookId(runId);
  const names: FirstClaim[] = [];
  if (callId !== undefined) names.push(callClaim(callId));
  if (key !== null) names.push({ ...startClaim(workflow, key.key, key.fingerprint, key.freeAt), from });
  if (singleton !== undefined) names.push(singletonClaim(workflow, singleton.key));
  if (hookToken !== null) names.push({ ...hookClaim(hookToken, hookId, null), from: null });
  const held: NewEvent[] = hookToken === null ? [] : [{ ...hookHeld(hookId, hookToken, null), at }];
  return {
    runId,
    workflow,
    queue: workflow,
    attributes,
    state: null,
    idempotencyKey: key?.key ?? null,
    events: [
      runCreated(workflow, args, at),
      ...headersGiven(headers, at),
      ...attributesGiven(attributes, at),
      ...held,
    ],
    names,
    mail: mail.map((message) => ({ ...message, id: hookId })),
    dueAt: at,
    lease,
  };
}

/** The id of the hook with which a run is started. */
function firstHookId(runId: string): string {
  return entityId("hook", { runId, generation: 0 }, "start", 1);
}
