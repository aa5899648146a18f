import type { IncomingMessage } from "node:http";

/** A request of a Node server as a `Request`. Body parsers may have read it before. */

/**
 * @param path with the query, as the client sent it
 * @param body what a parser has made of the body; `undefined`: it was not read
 * @param limit at most so many bytes are read, and one chunk more
 */
export async function requestOf(
  message: IncomingMessage,
  path: string,
  body: unknown,
  limit: number,
): Promise<{ readonly request: Request; readonly bytes: Buffer | null }> {
  const { method = "GET", headers } = message;
  const bytes = body === undefined ? await bytesOf(message, limit) : bytesFrom(body);
  const sent = Object.entries(headers).flatMap(([name, value]) =>
    // A parsed body has another length.
    value === undefined || name.startsWith(":") || name === "content-length" || name === "transfer-encoding"
      ? []
      : [[name, Array.isArray(value) ? value.join(", ") : value] as [string, string]],
  );
  const bodyless = method === "GET" || method === "HEAD" || bytes === null;
  const request = new Request(addressOf(message, path), {
    method,
    headers: sent,
    ...(!bodyless && { body: new Uint8Array(bytes) }),
  });
  return { request, bytes };
}

/** The address as the client named it; where its Host header is none, that of this machine. */
function addressOf({ headers }: IncomingMessage, path: string): URL {
  const authority = headers[":authority"];
  const host = headers.host ?? (typeof authority === "string" ? authority : "localhost");
  // A path that begins with two slashes would name another host.
  const absolute = path.startsWith("/") ? path : new URL(path, "http://localhost").pathname;
  return URL.canParse(`http://${host}${absolute}`)
    ? new URL(`http://${host}${absolute}`)
    : new URL(`http://localhost${absolute}`);
}

function bytesFrom(body: unknown): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(typeof body === "string" ? body : (JSON.stringify(body) ?? ""));
}

async function bytesOf(message: IncomingMessage, limit: number): Promise<Buffer | null> {
  if (message.readableEnded) return null;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of message.iterator({ destroyOnReturn: false })) {
    parts.push(chunk as Buffer);
    size += (chunk as Buffer).byteLength;
    if (size > limit) break;
  }
  return parts.length === 0 ? null : Buffer.concat(parts);
}
