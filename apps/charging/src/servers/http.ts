// The little HTTP that both servers share: bodies in, JSON out, resets, and one address per worker.

import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** Reads a request's body. Throws when the client went away before it was complete. */
export function readBody(request: IncomingMessage): Promise<string> {
  return text(request);
}

/** Sends a complete JSON answer. A client that is gone by now is no concern of the server's. */
export function answer(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(body);
}

/** Breaks the connection with a TCP reset, as a failing proxy or a pulled cable would. */
export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** The header's value, or undefined when it is missing or empty. */
export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

export interface Listening {
  /** One base URL per door, such as `http://127.0.0.1:49152`. */
  urls: string[];
  close(): Promise<void>;
}

/** Listens on `doors` free ports of the loopback address; the listener is told by which door a request came. */
export async function listen(doors: number, listener: (door: number) => RequestListener): Promise<Listening> {
  const servers = Array.from({ length: doors }, (_, door) => createServer(listener(door)));
  const urls = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const close = async (): Promise<void> => {
    await Promise.all(
      servers.map((server) => {
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        return closed;
      }),
    );
  };
  return { urls, close };
}
