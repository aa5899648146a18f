import { type ResumeWebhookOptions, resumeWebhook } from "@perdure/core/api";
import {
  HookNotFoundError,
  SerializationError,
  WorkflowError,
  WorkflowNotRegisteredError,
} from "@perdure/core/errors";
import { type LoggerChoice, resolveLogger } from "@perdure/core/runtime";

/** The HTTP side of webhooks: a handler for any server that turns a `Request` into a `Response`. */

/** Options of `webhookHandler`. */
export interface WebhookHandlerOptions extends ResumeWebhookOptions {
  /** Where the handler is: the token is what follows. Default: the token is the last part of the path, wherever it is. */
  readonly basePath?: string;
  /** Where it says what it could not take. Default: as for workers. */
  readonly logger?: LoggerChoice;
}

/**
 * Makes a handler that takes the requests to webhooks, in any process that reaches the World. It answers 202, or what the webhook
 * was created with, or what the workflow answers; 404 for a token that no live webhook has, 405, 413 and 401 before anything is
 * delivered, 504 when a workflow that answers itself did not, 503 when the store cannot be reached or this process has not the
 * code that verifies. Only webhooks are reached: a plain hook is not.
 *
 * @throws {TypeError} for a `basePath` that is no path
 * @example
 * ```ts
 * const handle = webhookHandler();
 * const answer = await handle(request);
 * ```
 */
export function webhookHandler(options: WebhookHandlerOptions = {}): (request: Request) => Promise<Response> {
  const { basePath, logger: choice, ...terms } = options;
  if (basePath !== undefined && !basePath.startsWith("/")) {
    throw new TypeError(
      `webhookHandler({ basePath }): must be a path that begins with "/", got ${JSON.stringify(basePath)}.`,
    );
  }
  const logger = resolveLogger(choice);
  return async (request) => {
    const token = tokenOf(new URL(request.url).pathname, basePath);
    if (token === null) return new Response(null, { status: 404 });
    try {
      return await resumeWebhook(token, request, terms);
    } catch (error) {
      const status = statusOf(error);
      if (status >= 500) logger.error(reasonOf(error), { error });
      return new Response(null, { status, ...(status === 503 && { headers: { "retry-after": "30" } }) });
    }
  };
}

/** What follows the base path, if it is one part of the path and can be decoded. */
function tokenOf(path: string, basePath: string | undefined): string | null {
  const base = basePath === undefined ? path.slice(0, path.lastIndexOf("/")) : basePath.replace(/\/+$/, "");
  if (!path.startsWith(`${base}/`)) return null;
  const token = path.slice(base.length + 1);
  if (token === "" || token.includes("/")) return null;
  try {
    return decodeURIComponent(token);
  } catch {
    return null;
  }
}

function statusOf(error: unknown): number {
  if (HookNotFoundError.is(error)) return 404;
  if (SerializationError.is(error)) return 413;
  return WorkflowError.is(error) && error.retryable ? 503 : 500;
}

function reasonOf(error: unknown): string {
  return WorkflowNotRegisteredError.is(error)
    ? "a request to a webhook could not be verified, since this process does not have the workflow that gave verify: import its module where webhookHandler is"
    : "a request to a webhook could not be taken; its sender was told to try again";
}
