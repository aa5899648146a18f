/** Answers of handlers, and bodies, read as far as they may be. */

/** Whether it can be sent and kept: a `Response` of any realm or library, but none of a request that failed, such as `Response.error()`. */
export function isResponse(value: unknown): value is Response {
  try {
    if (typeof value !== "object" || value === null) return false;
    const { status, headers, clone } = value as Partial<Response>;
    return Number(status) >= 200 && typeof headers?.get === "function" && typeof clone === "function";
  } catch {
    // A proxy, or a getter, that throws.
    return false;
  }
}

/** @throws {TypeError} for what a handler must not give */
export function checkResponse(value: unknown): Response {
  if (isResponse(value)) return value;
  throw new TypeError(
    `idempotent(): the handler must give a Response, and gave ${described(value)}. Return one on every path, such as new Response(null, { status: 204 }).`,
  );
}

function described(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function") return "a function";
  if (typeof value !== "object") return value === undefined ? "undefined" : `a ${typeof value}`;
  return value instanceof Response ? "an error of fetch, Response.error()" : "an object that is none";
}

/**
 * The bytes of a copy of the body, so that it can still be read; `null` for none.
 *
 * @throws {TypeError} if the body was read already
 */
export async function readBytes(
  holder: Request | Response,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | null | "too large"> {
  if (holder.body === null) return null;
  if (holder.bodyUsed || holder.body.locked) {
    throw new TypeError(
      "idempotent(): the body was read already, so it can be neither compared nor kept. Put idempotent() before what reads it, or return a clone().",
    );
  }
  if (Number(holder.headers.get("content-length") ?? 0) > limit) return "too large";
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined = holder
    .clone()
    .body?.getReader();
  if (reader === undefined) return null;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      // The other branch of the copy is read by nobody, so this does not settle.
      reader.cancel().catch(() => {});
      return "too large";
    }
    parts.push(value);
  }
  return new Uint8Array(Buffer.concat(parts, size));
}
