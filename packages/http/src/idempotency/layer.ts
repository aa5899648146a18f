import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "@perdure/core/world";
import { checkResponse, isResponse, readBytes } from "./body.ts";
import { NoScopeError } from "./default-scope.ts";
import { derivedKey, recordKey, type StoredAnswer } from "./entry.ts";
import { readKeyHeader } from "./key-header.ts";
import { isRetryable, type KeyLease, type Taking, takeKey } from "./key-lease.ts";
import { type IdempotentOptions, type Terms, termsOf } from "./options.ts";
import { type RefusalReason, refuse } from "./refusals.ts";

/** What stands between a server and a handler: it calls the handler once for each key, and gives its answer to whoever asks again. */

/** What a handler is told of the request's key. */
export interface IdempotencyContext {
  /** As the client sent it, without quotes; `null` where there is none and none is required. Two clients may send the same. */
  readonly key: string | null;
  /** 1, or more if a handler was called with this key before and its process died, or it lost its lease: it may have done anything. */
  readonly attempt: number;
  /** Aborted when another request may handle the key, or when the handler takes too long (see the option `timeout`): what the handler does from then on is not answered. */
  readonly signal: AbortSignal;
  /**
   * From here on the request is under way: if the handler throws now, that is its answer, and the key is used up. What it throws
   * before is answered too, and the key can be used again. Throws if the signal is aborted.
   */
  begin(): void;
  /** A key for something that the handler calls: the same for the same key of the same client in each attempt, another for each name. */
  idempotencyKeyFor(name: string): string;
}

/** Answers a request, once. A `Response` may be returned or thrown: what is thrown before `begin()` does not use the key up. */
export type IdempotentHandler = (
  request: Request,
  context: IdempotencyContext,
) => Response | Promise<Response>;

/** Requests of other methods change nothing, so their keys mean nothing. */
const METHODS = new Set(["POST", "PATCH", "PUT", "DELETE"]);

const SEE = "The first answer is given when the request is sent again later.";

export class IdempotencyLayer {
  readonly #terms: Terms;

  constructor(caller: string, options: IdempotentOptions, clock: Clock = systemClock) {
    this.#terms = termsOf(caller, options, clock);
  }

  get maxBodyBytes(): number {
    return this.#terms.maxBodyBytes;
  }

  /** Answers the request: by the handler, from the record, or by a refusal. Throws what a handler throws before `begin()`. */
  async handle(request: Request, handler: IdempotentHandler): Promise<Response> {
    const terms = this.#terms;
    const header = readKeyHeader(request.headers.get("idempotency-key"));
    if (!METHODS.has(request.method) || (header.type === "missing" && !terms.required)) {
      return checkResponse(await handler(request, withoutKey(request)));
    }
    if (header.type === "missing") {
      return this.#refuse(
        "missing",
        "This request must have an Idempotency-Key header, with a new key for each operation.",
      );
    }
    if (header.type === "unreadable")
      return this.#refuse("unreadable", `The Idempotency-Key header ${header.reason}.`);
    const { key } = header;
    let scope: string;
    try {
      scope = await terms.scope(request);
    } catch (error) {
      if (!(error instanceof NoScopeError)) throw error;
      terms.logger.error(error.message);
      return this.#refuse("no_scope", error.message);
    }
    const body = await readBytes(request, terms.maxBodyBytes);
    if (body === "too large") {
      return this.#refuse(
        "too_large",
        `The body of the request must have at most ${terms.maxBodyBytes} bytes.`,
      );
    }
    const fingerprint = await terms.fingerprint(request, body);
    let taking: Taking;
    try {
      taking = await takeKey(terms.store(), recordKey(scope, key), fingerprint);
    } catch (error) {
      return this.#storeDown(error, "a request was not handled");
    }
    switch (taking.type) {
      case "answered":
        return replayed(taking.answer);
      case "in_flight":
        return this.#inFlight();
      case "mismatch":
        return this.#refuse(
          "mismatch",
          "The Idempotency-Key came with another request before. Send the same request, or a new key.",
        );
      case "taken":
        return await this.#execute(request, handler, taking.lease, { key, scope });
    }
  }

  /** Calls the handler, and answers when it has, or as soon as it has lost its lease. */
  async #execute(
    request: Request,
    handler: IdempotentHandler,
    lease: KeyLease,
    { key, scope }: { readonly key: string; readonly scope: string },
  ): Promise<Response> {
    let begun = false;
    const context: IdempotencyContext = {
      key,
      attempt: lease.attempt,
      signal: lease.signal,
      begin() {
        lease.signal.throwIfAborted();
        begun = true;
      },
      idempotencyKeyFor: (name) => derivedKey(scope, key, name),
    };
    const lost = new Promise<"lost">((resolve) => {
      lease.signal.addEventListener("abort", () => resolve("lost"), { once: true });
    });
    const answered = this.#answer(
      async () => await handler(request, context),
      lease,
      () => begun,
    );
    const first = await Promise.race([answered, lost]);
    if (first !== "lost") return first;
    // Whatever the handler does now: if nobody has taken the key over, what it answers is recorded all the same.
    answered.catch(() => {});
    if (lease.timedOut) return this.#tooLong();
    return await this.#fromRecord(lease);
  }

  /** The handler's answer, recorded; or what the record says in its place. */
  async #answer(call: () => Promise<Response>, lease: KeyLease, begun: () => boolean): Promise<Response> {
    const { logger } = this.#terms;
    let response: Response;
    let body: Uint8Array<ArrayBuffer> | null | "too large";
    try {
      response = checkResponse(await call());
      body = await readBytes(response, this.#terms.maxBodyBytes);
    } catch (thrown) {
      if (lease.signal.aborted) return await this.#fromRecord(lease);
      if (!begun()) {
        await this.#release(lease);
        if (isResponse(thrown)) return thrown;
        throw thrown;
      }
      if (!isResponse(thrown)) {
        logger.error(
          "a handler failed after begin(); the client gets 500, now and when it repeats the request",
          {
            error: thrown,
          },
        );
      }
      response = isResponse(thrown)
        ? thrown
        : this.#refuse(
            "handler_failed",
            "The request failed when it was under way. Sent again it has this answer.",
          );
      body = await readBytes(response, this.#terms.maxBodyBytes);
    }
    if (body === "too large") {
      logger.error(
        `an answer has more than ${this.#terms.maxBodyBytes} bytes and cannot be kept; the client gets 500, now and when it repeats the request`,
      );
      response = this.#refuse(
        "answer_too_large",
        "The request was handled; its answer is too large to be kept.",
      );
      body = new Uint8Array(await response.clone().arrayBuffer());
    }
    const answer = this.#stored(response, body);
    let kept: StoredAnswer | null;
    try {
      kept = await lease.answer(answer);
    } catch (error) {
      return this.#storeDown(error, "an answer could not be recorded, so it was not given");
    }
    if (kept === null) return this.#inFlight();
    return kept === answer ? response : replayed(kept);
  }

  async #fromRecord(lease: KeyLease): Promise<Response> {
    try {
      const answer = await lease.look();
      return answer === null ? this.#inFlight() : replayed(answer);
    } catch (error) {
      return this.#storeDown(error, "a handler lost its lease, and what became of its key cannot be read");
    }
  }

  async #release(lease: KeyLease): Promise<void> {
    try {
      await lease.release();
    } catch (error) {
      this.#terms.logger.warn(
        "a key that was not used could not be given back; it is free when its lease is over",
        {
          error,
        },
      );
    }
  }

  #stored(response: Response, body: Uint8Array<ArrayBuffer> | null): StoredAnswer {
    const { status, statusText, headers } = response;
    const kept = [...headers].filter(([name]) => this.#terms.keepsHeader(name));
    return { status, statusText, headers: kept, body: body ?? new Uint8Array() };
  }

  #refuse(reason: RefusalReason, detail: string): Response {
    return refuse(this.#terms.mode, reason, detail);
  }

  #inFlight(): Response {
    return this.#refuse("in_flight", `Another request with this Idempotency-Key is being handled. ${SEE}`);
  }

  #tooLong(): Response {
    const { logger, mode, store } = this.#terms;
    const { timeout, lease } = store();
    logger.error(
      `a handler has not answered within ${timeout} ms: it was aborted, the client got 504, and the key can be handled again when its ` +
        "lease is over. Let it watch its signal, or give idempotent() a longer timeout",
    );
    const seconds = Math.ceil(lease / 1_000);
    return refuse(
      mode,
      "handler_timed_out",
      `The request was not answered within ${timeout / 1_000} s. Sent again after ${seconds} s, with the same Idempotency-Key, it is handled again.`,
      seconds,
    );
  }

  #storeDown(error: unknown, what: string): Response {
    if (!isRetryable(error)) throw error;
    this.#terms.logger.error(`${what}, since the store did not answer; the client was told to try again`, {
      error,
    });
    return this.#refuse("store_down", "The request is to be sent again, with the same Idempotency-Key.");
  }
}

function withoutKey(request: Request): IdempotencyContext {
  const random = randomUUID();
  return {
    key: null,
    attempt: 1,
    signal: request.signal,
    begin() {},
    idempotencyKeyFor: (name) => derivedKey("", random, name),
  };
}

/** The statuses of answers that have no body. */
const BODYLESS = new Set([204, 205, 304]);

function replayed({ status, statusText, headers, body }: StoredAnswer): Response {
  const response = new Response(BODYLESS.has(status) ? null : body, {
    status,
    statusText,
    headers: headers.map(([name, value]): [string, string] => [name, value]),
  });
  response.headers.set("idempotent-replayed", "true");
  return response;
}
