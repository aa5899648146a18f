import { HookConflictError } from "../../errors/index.ts";
import { intercepted } from "../../interceptors/index.ts";
import { HOOK_RECEIVED_OR_START } from "../../interpreter/kinds/or-start.ts";
import { createRunRequest, type NewRun } from "../../interpreter/new-run.ts";
import { hookName } from "../../names.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";

/**
 * Sends a payload to the run that has a token, or starts a run that has it, with the payload in its mailbox from the first moment.
 * Whoever races: there is one run, and every payload is in it once.
 */

/** What is asked for. */
export interface ResumeOrStartInput {
  /** Of the message; the same one again is the same payload. */
  readonly messageId: string;
  readonly token: string;
  /** The encoded payload, with what is started: see {@link HOOK_RECEIVED_OR_START}. */
  readonly data: Uint8Array | null;
  readonly start: NewRun;
}

/** Where the payload went. */
export interface Resumed {
  readonly runId: string;
  readonly hookId: string;
}

/** Between its creation and its end a run may have the token for a moment only: so often it is tried. */
const TRIES = 50;

/** @throws {HookConflictError} if the token stays with a run that takes no payload, or the start's key with another run */
export async function resumeOrStart(
  { messageId, token, data, start }: ResumeOrStartInput,
  callerRunId: string | null,
  { createRun, deliver, logger, now }: Pick<StoreCalls, "createRun" | "deliver" | "logger" | "now">,
): Promise<Resumed> {
  const message = { messageId, type: HOOK_RECEIVED_OR_START, data };
  let holder: string | undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    const delivered = await deliver({ ...message, to: { name: hookName(token) }, at: now() });
    if (delivered.outcome === "delivered" && delivered.id !== null) {
      return { runId: delivered.runId, hookId: delivered.id };
    }
    const at = now();
    const { runId, workflow: workflowName } = start;
    const mail = [{ ...message, at }];
    const { request, created } = await intercepted(
      { runId, workflowName, callerRunId, logger },
      async (headers) => {
        const made = createRunRequest({ ...start, hookToken: token }, { at, lease: null, headers, mail });
        return { request: made, created: await createRun(made) };
      },
      ({ created: result }) =>
        result.outcome === "held"
          ? { type: "found", runId: result.name.runId }
          : {
              type: result.outcome === "created" ? "created" : "found",
              runId: result.outcome === "mailed" ? result.runId : runId,
            },
    );
    if (created.outcome === "created") {
      return { runId, hookId: request.names.at(-1)?.id ?? "" };
    }
    if (created.outcome === "held") holder = created.name.runId;
  }
  throw new HookConflictError(token, holder);
}

export const resumeOrStartStep: SystemStep = {
  owed: true,
  execute: async ({ runId, input }, store) => ({
    type: "completed",
    value: await resumeOrStart(input as ResumeOrStartInput, runId, store),
  }),
};
