import { systemRandom } from "../clock.ts";
import type { StepContext } from "../context.ts";
import { backoffDelay } from "../define/retry-policy.ts";
import { FatalError, RetryableError } from "../errors/index.ts";

/** Responses, and what is in the place of one, as errors of a step. */

/** What the errors of `idempotentFetch` say of the exchange. */
export interface HttpFailure {
  /** Of the response; `undefined` where none came. */
  readonly status: number | undefined;
  /** Where the request went, without query and password. */
  readonly url: string;
  /** The first 1,000 characters of the response's body. */
  readonly body: string;
}

const PIECE = 1_000;

/** Trying again is pointless: the other side does not want this request. */
export async function fatal(request: Request, response: Response): Promise<FatalError & HttpFailure> {
  const failure = await failureOf(request, response);
  return Object.assign(
    new FatalError(`${sentence(request, failure)}. Another attempt would be refused too.`),
    failure,
  );
}

/** Another attempt may succeed: after `wait` ms, else as the step's backoff has it. */
export async function retryable(
  context: StepContext | undefined,
  request: Request,
  what: { readonly response?: Response; readonly wait?: number | undefined; readonly cause?: unknown },
): Promise<RetryableError & HttpFailure> {
  const failure = await failureOf(request, what.response);
  const make = (retryAfter?: number): RetryableError & HttpFailure =>
    Object.assign(
      new RetryableError(`${sentence(request, failure)}.`, {
        ...(what.cause !== undefined && { cause: what.cause }),
        ...(retryAfter !== undefined && { retryAfter }),
      }),
      failure,
    );
  if (what.wait !== undefined) return make(what.wait);
  const error = make();
  return context === undefined
    ? error
    : make(backoffDelay(context.options, context.step.attempt, error, systemRandom));
}

async function failureOf(request: Request, response: Response | undefined): Promise<HttpFailure> {
  const { origin, pathname } = new URL(request.url);
  return {
    status: response?.status,
    url: origin + pathname,
    body: response === undefined ? "" : await pieceOf(response),
  };
}

function sentence({ method }: Request, { status, url }: HttpFailure): string {
  return status === undefined
    ? `${method} ${url} got no response`
    : `${method} ${url} was answered with ${status}`;
}

/** The beginning of the body, as far as it comes. */
async function pieceOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  let text = "";
  try {
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length >= PIECE) break;
    }
  } catch {
    // The connection broke: what came is enough for an error.
  }
  return text.slice(0, PIECE);
}
