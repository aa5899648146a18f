import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { onTestFinished } from "vitest";

/** Serves a handler on this machine until the test is over; its URL. */
export async function serve(handle: (request: Request) => Promise<Response>): Promise<string> {
  const server = createServer((message, answer) => {
    void handle(requestOf(message)).then(async (response) => {
      answer.writeHead(response.status, Object.fromEntries(response.headers));
      answer.end(Buffer.from(await response.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function requestOf(message: IncomingMessage): Request {
  const { method = "GET", url = "/", headers } = message;
  const bodyless = method === "GET" || method === "HEAD";
  return new Request(new URL(url, `http://${headers.host}`), {
    method,
    headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
    ...(!bodyless && { body: Readable.toWeb(message) as ReadableStream, duplex: "half" }),
  } as RequestInit);
}
