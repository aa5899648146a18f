import { checkOptionNames } from "../option-names.ts";
import { checkKey, type StartOptions, takenOptions } from "./start-request.ts";

/** What `resumeHook` and `getHookByToken` take and give. */

/** A live hook, as those outside the workflow see it. */
export interface HookInfo {
  /** What `resumeHook` takes. Whoever knows it can resume the hook. */
  readonly token: string;
  readonly hookId: string;
  /** The run that created it. */
  readonly runId: string;
  /** When the run asked for it. */
  readonly createdAt: Date;
  /** What the workflow gave as `metadata`. */
  readonly metadata: unknown;
}

/** Where a payload went. */
export interface ResumedHook {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
}

/** Options of `resumeHook`. */
export interface ResumeOptions {
  /**
   * The same key again for this token delivers nothing more and answers as before, also after the run has ended. At most
   * 255 characters. Default: every call is a payload of its own.
   */
  readonly idempotencyKey?: string;
  /**
   * What is started if no run has the token: a workflow, its arguments and options. The new run has the token, and the payload,
   * from the first moment; of all callers at once one starts it, and the payloads of all are in it.
   */
  readonly orStart?: OrStartRequest;
  /**
   * A transaction of yours, as `start` takes it: the payload is sent when it commits, and never when it does not. Nobody hears
   * whether a live hook had the token then. Not with `orStart`.
   */
  readonly tx?: unknown;
}

/** The options as they are now, for a call that has to read bodies first. */
export function takenResumeOptions(options: ResumeOptions = {}): ResumeOptions {
  const { orStart } = options;
  if (!Array.isArray(orStart)) return { ...options };
  const [workflow, args = [], startOptions = {}] = orStart as OrStartRequest;
  return { ...options, orStart: [workflow, args, takenOptions(startOptions)] };
}

/** Reads the options of `resumeHook`. Throws a `TypeError` for what cannot be meant. */
export function resumeOptions(options: ResumeOptions): ResumeOptions {
  checkOptionNames<ResumeOptions>("resumeHook()", options, {
    idempotencyKey: true,
    orStart: true,
    tx: true,
  });
  checkKey(options.idempotencyKey, "idempotencyKey");
  if (options.tx !== undefined && options.orStart !== undefined) {
    throw new TypeError(
      "resumeHook({ tx }): orStart is not for transactions: whether a run has the token is known only after the commit.",
    );
  }
  return options;
}

/** A workflow to start, as `start` takes it. */
export type OrStartRequest = readonly [
  workflow: unknown,
  args?: unknown[],
  options?: Omit<StartOptions, "hook" | "onConflict" | "failedRuns" | "world" | "tx">,
];
