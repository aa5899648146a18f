import type { Clock } from "../clock.ts";
import { refuseInWorkflow } from "../context.ts";
import { resumeOrStart } from "../engine/system-steps/resume-or-start.ts";
import { HookNotFoundError } from "../errors/index.ts";
import { type IdSource, keyedMessageId } from "../ids.ts";
import type { OrStart } from "../interpreter/kinds/or-start.ts";
import type { NewRun } from "../interpreter/new-run.ts";
import { isWebhookId, webhookFacts } from "../interpreter/webhook.ts";
import type { Logger } from "../logger.ts";
import { hookName } from "../names.ts";
import { decode, encode, encodingAll, largestValue, storable, withOutlet } from "../serialization/index.ts";
import { PassedStreams } from "../streams/passed-streams.ts";
import type { CreateRun, CreateRunResult, DeliverResult, HeldName, Message, World } from "../world/index.ts";
import type { ClientStreams } from "./client-streams.ts";
import { shown } from "./encrypted-value.ts";
import type { HookInfo, OrStartRequest, ResumedHook, ResumeOptions } from "./hooks.ts";
import { resumeOptions } from "./hooks.ts";
import { refuseTied } from "./joined-start.ts";
import type { OutsideSignals, SignalTerms } from "./outside-signals.ts";
import { checkKey, type StartRequest, startRequest } from "./start-request.ts";
import { WebhookVerifiers } from "./webhook-verifier.ts";
import { type TakeOptions, takenRequest, takeRequest } from "./webhooks.ts";

/** What a client sends to hooks and webhooks. Payloads are encoded before anything is awaited. */

/** What they have from their client. */
export interface ClientHooksOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** Opens the World. */
  readonly open: () => Promise<void>;
  /** Does what a caller awaits. */
  readonly awaited: <T>(work: () => Promise<T>) => Promise<T>;
  readonly create: (request: CreateRun) => Promise<CreateRunResult>;
  readonly deliver: (message: Message) => Promise<DeliverResult>;
  /** Delivers a message, now, whose value is called `where`. */
  readonly send: (message: Omit<Message, "at">, where: string) => Promise<DeliverResult>;
  /** Ties the signals of the code that is executed. */
  readonly signals: () => OutsideSignals | undefined;
  readonly signalTerms: SignalTerms;
  readonly streams: Pick<ClientStreams, "serve">;
}

export class ClientHooks {
  readonly #options: ClientHooksOptions;
  readonly #verifiers: WebhookVerifiers;

  constructor(options: ClientHooksOptions) {
    this.#options = options;
    this.#verifiers = new WebhookVerifiers(options.world, options.clock);
  }

  async resume(
    tokenOrHook: string | { readonly token: string },
    payload: unknown,
    options: ResumeOptions,
  ): Promise<ResumedHook> {
    refuseInWorkflow("resumeHook()");
    const token = typeof tokenOrHook === "string" ? tokenOrHook : tokenOrHook.token;
    const signals = this.#options.signals();
    const { idempotencyKey, orStart } = resumeOptions(options);
    const messageId = this.#messageId(token, idempotencyKey);
    const passed = new PassedStreams(messageId, { runId: null, writables: true });
    const [data, start] = encodingAll([payload, orStart?.[1]], () => [
      withOutlet(passed, () => encode(payload, "payload", signals)),
      orStart === undefined ? null : orStartRequest(token, orStart, signals),
    ]);
    const resumed =
      start === null
        ? await this.#resume(token, messageId, data, signals)
        : await this.#resumeOrStart(token, messageId, data, start, signals);
    this.#options.streams.serve(passed, resumed.runId, true);
    return resumed;
  }

  /** Sends a payload with a transaction of the caller's: nobody hears where it goes. */
  async joinedResume(token: string, payload: unknown, options: ResumeOptions): Promise<void> {
    refuseInWorkflow("resumeHook()");
    const { world, clock, open, awaited } = this.#options;
    const signals = this.#options.signals();
    const { idempotencyKey, tx } = resumeOptions(options);
    const messageId = this.#messageId(token, idempotencyKey);
    const passed = new PassedStreams(messageId, { runId: null, writables: false });
    const data = withOutlet(passed, () => encode(payload, "payload", signals));
    refuseTied("resumeHook({ tx })", passed.any || signals?.any === true);
    await awaited(async () => {
      await open();
      storable(data, "payload", largestValue(world));
      const at = clock.now();
      const message: Message = { messageId, to: { name: hookName(token) }, type: "hook_received", at, data };
      await world.joining(tx).deliver([message], at);
    });
  }

  /** Takes a request to a webhook, and gives the response to it. */
  async take(token: string, request: Request, options: TakeOptions): Promise<Response> {
    refuseInWorkflow("resumeWebhook()");
    const { world, clock, open, awaited } = this.#options;
    const taken = takenRequest(request);
    const given = { ...options };
    return await awaited(async () => {
      await open();
      return await takeRequest(token, taken, given, {
        world,
        clock,
        verifiers: this.#verifiers,
        messageId: (key) => this.#messageId(token, key),
        deliver: async (messageId, payload) => {
          const signals = this.#options.signals();
          await this.#resume(token, messageId, encode(payload, "request", signals), signals);
        },
      });
    });
  }

  #messageId(token: string, key: string | undefined): string {
    return key === undefined ? `msg_${this.#options.ids.token()}` : keyedMessageId(token, key);
  }

  async #resume(
    token: string,
    messageId: string,
    data: Uint8Array | null,
    signals: OutsideSignals | undefined,
  ): Promise<ResumedHook> {
    const { send, signalTerms } = this.#options;
    const message = { messageId, to: { name: hookName(token) }, type: "hook_received", data };
    const result = await send(message, "payload");
    if (result.outcome !== "delivered" || result.id === null) throw new HookNotFoundError(token);
    signals?.sentTo(result.runId, signalTerms);
    return { token, hookId: result.id, runId: result.runId };
  }

  async #resumeOrStart(
    token: string,
    messageId: string,
    payload: Uint8Array | null,
    { keyAt, terms: _, ...asked }: StartRequest,
    signals: OutsideSignals | undefined,
  ): Promise<ResumedHook> {
    const { world, clock, ids, open, awaited, create, deliver, logger, signalTerms } = this.#options;
    const { runId, hookId } = await awaited(async () => {
      await open();
      const now = clock.now();
      const start: NewRun = { ...asked, runId: ids.runId(now), key: keyAt(now), hookToken: token };
      const data = encode({ payload, start } satisfies OrStart, "payload");
      storable(data, "payload", largestValue(world));
      const store = { createRun: create, deliver, logger, now: () => clock.now() };
      return await resumeOrStart({ messageId, token, data, start }, null, store);
    });
    signals?.sentTo(runId, signalTerms);
    return { token, hookId, runId };
  }
}

/** Reads what is started for a payload if no run has the token. */
function orStartRequest(
  token: string,
  [fn, args = [], options = {}]: OrStartRequest,
  signals: OutsideSignals | undefined,
): StartRequest {
  for (const name of ["hook", "onConflict", "failedRuns", "world", "tx"]) {
    if (name in options) {
      throw new TypeError(
        `resumeHook({ orStart }): a start has no option ${name} there: the run has the hook, and it is one run.`,
      );
    }
  }
  const request = startRequest(fn, args, options, signals);
  checkKey(token, "token");
  return request;
}

/** What is shown of the hook that has a token. */
export function hookInfo(token: string, hook: HeldName | null | undefined): HookInfo {
  if (hook === undefined || hook === null) throw new HookNotFoundError(token);
  return {
    token,
    hookId: hook.id,
    runId: hook.runId,
    createdAt: new Date(hook.createdAt),
    metadata: shown(() => (isWebhookId(hook.id) ? webhookFacts(hook.data).metadata : decode(hook.data))),
  };
}
