import type { IncomingMessage, ServerResponse } from "node:http";
import { requestOf } from "../../node/request.ts";
import { type IdempotencyContext, IdempotencyLayer } from "../layer.ts";
import type { IdempotentOptions } from "../options.ts";
import { NodeAnswer, sendAnswer } from "./node-answer.ts";

/** `idempotent` for Express. */

/** What is needed of Express's request. */
export interface ExpressRequest extends IncomingMessage {
  originalUrl?: string;
  body?: unknown;
}

/**
 * Makes a handler for an Express route, with the meaning of {@link idempotent}: the handler answers by `res` as always, and what it
 * writes is sent when it is recorded. Put body parsers before it; without one, `req.body` is a `Buffer`. An error that is thrown
 * before `begin()` goes to Express's error handlers.
 *
 * @example
 * ```ts
 * const charge = idempotentExpress((_req, res, { key }) => void res.end(key));
 * ```
 */
export function idempotentExpress<Req extends ExpressRequest, Res extends ServerResponse>(
  handler: (req: Req, res: Res, context: IdempotencyContext) => unknown,
  options: IdempotentOptions = {},
): (req: Req, res: Res, next: (error?: unknown) => void) => Promise<void> {
  const layer = new IdempotencyLayer("idempotentExpress()", options);
  return async (req, res, next) => {
    let own: NodeAnswer | undefined;
    try {
      const path = req.originalUrl ?? req.url ?? "/";
      const { request, bytes } = await requestOf(req, path, req.body, layer.maxBodyBytes);
      if (req.body === undefined && bytes !== null) req.body = bytes;
      const answer = await layer.handle(request, async (_, context) => {
        const writing = new NodeAnswer(res, layer.maxBodyBytes);
        own = writing;
        const failed = new Promise<never>((_, reject) => {
          Promise.resolve()
            .then(() => handler(req, res, context))
            .catch(reject);
        });
        return await Promise.race([writing.written, failed]);
      });
      await (own === undefined ? sendAnswer(res, answer) : own.send(answer));
    } catch (error) {
      own?.release();
      next(error);
    }
  };
}
