import type { IncomingMessage, ServerResponse } from "node:http";
import { requestOf } from "../../node/request.ts";
import { type IdempotencyContext, IdempotencyLayer } from "../layer.ts";
import type { IdempotentOptions } from "../options.ts";
import { NodeAnswer, sendAnswer } from "./node-answer.ts";

/** `idempotent` for Fastify. */

/** What is needed of Fastify's request. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
  readonly originalUrl: string;
  readonly body?: unknown;
}

/** What is needed of Fastify's reply. */
export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  readonly sent: boolean;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  hijack(): unknown;
  send(payload?: unknown): unknown;
}

/**
 * Makes a handler for a Fastify route, with the meaning of {@link idempotent}: the handler returns a value or calls `reply.send`, as
 * always; what Fastify makes of it is sent when it is recorded. An error that is thrown before `begin()` goes to Fastify's error
 * handler.
 *
 * @example
 * ```ts
 * const charge = idempotentFastify(async (_request, _reply, { key }) => ({ key }));
 * ```
 */
export function idempotentFastify<Req extends FastifyRequestLike, Reply extends FastifyReplyLike>(
  handler: (request: Req, reply: Reply, context: IdempotencyContext) => unknown,
  options: IdempotentOptions = {},
): (request: Req, reply: Reply) => Promise<void> {
  const layer = new IdempotencyLayer("idempotentFastify()", options);
  return async (request, reply) => {
    let own: NodeAnswer | undefined;
    try {
      // An empty body is null here, and was read all the same.
      const made = await requestOf(request.raw, request.originalUrl, request.body ?? "", layer.maxBodyBytes);
      const answer = await layer.handle(made.request, async (_, context) => {
        const writing = new NodeAnswer(reply.raw, layer.maxBodyBytes);
        own = writing;
        const failed = new Promise<never>((_, reject) => {
          Promise.resolve()
            .then(() => handler(request, reply, context))
            .then((value) => {
              if (value !== undefined && value !== reply) reply.send(value);
            })
            .catch(reject);
        });
        return await Promise.race([writing.written, failed]);
      });
      const headers = reply.getHeaders();
      reply.hijack();
      if (own !== undefined) return await own.send(answer);
      for (const [name, value] of Object.entries(headers)) {
        if (value !== undefined) reply.raw.setHeader(name, value);
      }
      await sendAnswer(reply.raw, answer);
    } catch (error) {
      own?.release();
      throw error;
    }
  };
}
