import type { Run } from "./api/run.ts";
import type { Duration } from "./duration.ts";
import type { WebhookVerifier } from "./interpreter/webhook.ts";

/** Hooks and webhooks as workflows see them. */

/** Options of `createHook`. */
export interface HookOptions {
  /** Unique among live hooks. Default: random. At most 255 characters. */
  readonly token?: string;
  /** Any serializable value, for those who look the hook up by its token. */
  readonly metadata?: unknown;
  /**
   * For how long, from now on, no other run gets the token, also when this run has ended before: a length, or the time until when.
   * `dispose()` frees it at once. Default: until the run ends.
   */
  readonly experimental_minRetention?: Duration;
  /** Whether requests to the webhook address of its token are its payloads, as of `createWebhook()`. Default `false`. */
  readonly isWebhook?: boolean;
}

/**
 * A durable, addressable promise. `await hook` gives the next payload; `for await` gives all of them. Payloads that were
 * sent before the workflow awaits are kept in order. Awaits that are pending at the same time get the same payload.
 *
 * A hook that loses a `Promise.race` or `Promise.any` does not swallow a payload: the next await gets it. That holds for
 * the hook itself among the values; `hook.then(…)` and an async function that awaits the hook are reads of their own.
 */
export interface Hook<T = unknown> extends AsyncIterable<T>, PromiseLike<T> {
  /** What others pass to `resumeHook`. */
  readonly token: string;
  /** Registers the hook and tells whether another run has its token: that run, or `null` when it is ours. */
  getConflict(): Promise<Run | null>;
  /** Frees the token; iterations end, later awaits reject. Payloads that came before stay readable. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** A request that a workflow answers itself: what `createWebhook({ respondWith: "manual" })` gives. */
export interface RequestWithResponse extends Request {
  /**
   * Answers whoever sent the request. The first answer is the one that is sent; later ones, as of a step's next attempt, change
   * nothing. Call it in a step or in the workflow.
   */
  respondWith(response: Response): Promise<void>;
}

/** Options of `createWebhook`. */
export interface WebhookOptions {
  /** Unique among live hooks. Default: random, and whoever knows it may send. At most 255 characters. */
  readonly token?: string;
  /** What senders are answered: this response, or what the workflow gives to `request.respondWith()`. Default: 202 without a body. */
  readonly respondWith?: Response | "manual";
  /** The methods that are taken, such as `"POST"`; others are answered with 405. Default: any. */
  readonly method?: string | readonly string[];
  /** Called with each request before it is delivered; those that are not genuine are answered with 401. Default: all are taken. */
  readonly verify?: WebhookVerifier;
  /** Any serializable value, for those who look the webhook up by its token. */
  readonly metadata?: unknown;
}

/** A hook whose payloads are HTTP requests. */
export interface Webhook<T extends Request = Request> extends Hook<T> {
  /** Where requests are to be sent. */
  readonly url: string;
}
