/** Bodies, read as far as they may be. */

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
