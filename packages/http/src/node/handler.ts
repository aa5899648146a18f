import type { IncomingMessage, ServerResponse } from "node:http";
import { requestOf } from "./request.ts";
import { sendResponse } from "./send.ts";

/** Handlers of `Request → Response` behind Node's own servers. */

/** What is known of the connection that a request came over. */
export interface Connection {
  /** The address of the client, or of the proxy that is nearest. */
  readonly remoteAddress?: string | undefined;
}

/** A handler that may look at the connection. */
export type ConnectionHandler = (request: Request, connection: Connection) => Response | Promise<Response>;

/** What a framework has made of a request. */
export interface Received {
  /** With the query, as the client sent it. */
  readonly path: string;
  /** What a parser has made of the body; `undefined`: it was not read. */
  readonly body: unknown;
}

/** At most so many bytes of a body are read, and one chunk more. */
const MOST = 16 * 1024 * 1024;

/** Answers one request. Rejects with what the handler throws; nothing is sent then. */
export async function answerByNode(
  handler: ConnectionHandler,
  message: IncomingMessage,
  response: ServerResponse,
  { path, body }: Received,
): Promise<void> {
  const { request } = await requestOf(message, path, body, MOST);
  const { remoteAddress } = message.socket;
  await sendResponse(response, await handler(request, { remoteAddress }));
}

/**
 * A listener of `node:http` that answers by the handler. An error that it throws is a 500 without its text.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * createServer(nodeListener(() => Response.json({ ok: true }))).listen(8080);
 * ```
 */
export function nodeListener(
  handler: ConnectionHandler,
): (message: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (message, response) => {
    try {
      await answerByNode(handler, message, response, { path: message.url ?? "/", body: undefined });
    } catch {
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  };
}
