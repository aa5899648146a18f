import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** A `Response` sent by a Node server. */

/** Status and headers of an answer, in place of those that were set since `before`. */
export function writeHead(response: ServerResponse, before: OutgoingHttpHeaders, answer: Response): void {
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  setHeaders(response, before);
  for (const [name, value] of answer.headers) if (name !== "set-cookie") response.setHeader(name, value);
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  response.statusCode = answer.status;
  response.statusMessage = answer.statusText;
}

/** The headers as `writeHead` takes them: an object, or names and values in turn. */
export function setHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    for (let at = 0; at + 1 < headers.length; at += 2) {
      response.setHeader(String(headers[at]), headers[at + 1] as string);
    }
  } else if (typeof headers === "object" && headers !== null) {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) response.setHeader(name, value as string);
    }
  }
}

/** Sends an answer as its body comes. Resolves when it is sent, or the client is gone: then the body is cancelled. */
export async function sendResponse(response: ServerResponse, answer: Response): Promise<void> {
  writeHead(response, response.getHeaders(), answer);
  if (answer.body === null || response.req?.method === "HEAD") {
    await answer.body?.cancel();
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = answer.body.getReader();
  const gone = new Promise<"gone">((resolve) => response.once("close", () => resolve("gone")));
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), gone]);
      if (next === "gone" || next.done) break;
      if (response.write(next.value)) continue;
      await Promise.race([gone, new Promise((resolve) => response.once("drain", resolve))]);
    }
  } catch (error) {
    // The head is sent: a body that breaks off is all that the client can be told.
    response.destroy(error instanceof Error ? error : undefined);
  } finally {
    await reader.cancel().catch(() => {});
    if (!response.destroyed) response.end();
  }
}
