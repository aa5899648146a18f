import { HookConflictError } from "../../errors/index.ts";
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
  { createRun, deliver, now }: Pick<StoreCalls, "createRun" | "deliver" | "now">,
): Promise<Resumed> {
  const message = { messageId, type: HOOK_RECEIVED_OR_START, data };
  let holder: string | undefined;
  for (let tries = 0; tries < TRIES; tries++) {
    const delivered = await deliver({ ...message, to: { name: hookName(token) }, at: now() });
    if (delivered.outcome === "delivered" && delivered.id !== null) {
      return { runId: delivered.runId, hookId: delivered.id };
    }
    const at = now();
    const request = createRunRequest(
      { ...start, hookToken: token },
      { at, lease: null, mail: [{ ...message, at }] },
    );
    const created = await createRun(request);
    if (created.outcome === "created") {
      return { runId: request.runId, hookId: request.names.at(-1)?.id ?? "" };
    }
    if (created.outcome === "held") holder = created.name.runId;
  }
  throw new HookConflictError(token, holder);
}

export const resumeOrStartStep: SystemStep = {
  owed: true,
  execute: async ({ input }, store) => ({
    type: "completed",
    value: await resumeOrStart(input as ResumeOrStartInput, store),
  }),
};
