/** What changes something. */

/** What can be done to one run. `again` starts one like it. */
export type RunAct = "again" | "cancel" | "terminate" | "retry" | "fork" | "wake" | "delete";

/** What an act takes. Those that say nothing take `{}`. */
export interface ActRequest {
  /** `cancel`, `terminate`: why. */
  readonly reason?: string;
  /** `retry`: `new` gives the step that failed another `stepId`. Default `keep`. */
  readonly keys?: "keep" | "new";
  /** `fork`: the `stepId` from which on it is executed again. Needed. */
  readonly fromStep?: string;
  /** `again`, `fork`: other arguments, as a JSON array. Default: those of the run. */
  readonly args?: readonly unknown[];
  /** `again`: the idempotency key of the new run. Default: none. */
  readonly key?: string;
}

/** What an act did. */
export interface ActResult {
  /** For people, such as `Goes on as wrun_…`. */
  readonly said: string;
  /** The run that was acted on, or that goes on: follow it. */
  readonly runId: string;
}

/** Starts a run. */
export interface StartRequest {
  /** The workflow's id. */
  readonly workflow: string;
  /** As a JSON array. Default `[]`. */
  readonly args?: readonly unknown[];
  readonly key?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The run that was started, or that the key already has. */
export type Started = ActResult;

/** Acts on many runs, a part of them with each request: count them first with `api/counts`, ask, then go on until `cursor` is `null`. */
export interface BulkRequest {
  readonly act: "cancel" | "terminate" | "retry" | "wake" | "delete";
  /** As in a query string: `status=failed&workflow=…`. Without a status: those that the act fits. */
  readonly filter: string;
  readonly reason?: string;
  /** The `cursor` of the answer before. */
  readonly cursor?: string | null;
  /** At most so many runs with this request, 1 to 200. Default 100. */
  readonly limit?: number;
}

/** What was done to a part of the runs. */
export interface BulkResult {
  /** So many runs were acted on. */
  readonly done: number;
  readonly failed: readonly { readonly runId: string; readonly message: string }[];
  /** Go on with it; `null`: there are no more. */
  readonly cursor: string | null;
}

/** Delivers a payload to a hook. */
export interface DeliverRequest {
  readonly token: string;
  /** Any JSON; left out: `undefined`. */
  readonly payload?: unknown;
  /** The same key again delivers nothing more. */
  readonly key?: string;
}

/** To whom it was delivered. */
export type Delivered = ActResult;
