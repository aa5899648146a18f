/** The request header `Idempotency-Key`: a Structured Field string, as the IETF draft has it, or the bare key that many clients send. */

/** What the header of a request says. */
export type KeyHeader =
  | { readonly type: "key"; readonly key: string }
  | { readonly type: "missing" }
  /** `reason` completes "The Idempotency-Key header …". */
  | { readonly type: "unreadable"; readonly reason: string };

/** As many as Stripe allows. */
const MAX_CHARACTERS = 255;

/** A string in quotes, with `\"` and `\\` in it, and perhaps parameters, which mean nothing here. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\s*(?:;[^"]*)?$/;

/** No space: two headers of this name arrive as one, with a comma and a space between their values. */
const BARE = /^[\x21\x23-\x7e]+$/;

/** Reads the header. `"order-17"` and `order-17` are one key. */
export function readKeyHeader(value: string | null): KeyHeader {
  if (value === null) return { type: "missing" };
  const text = value.trim();
  const quoted = QUOTED.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, "$1");
  const key = quoted ?? (BARE.test(text) ? text : undefined);
  if (key === undefined) {
    return {
      type: "unreadable",
      reason:
        'must be one key in printable ASCII: quoted, as in "order-17", or bare, without spaces and quotes',
    };
  }
  if (key === "") return { type: "unreadable", reason: "must not be empty" };
  if (key.length > MAX_CHARACTERS) {
    return { type: "unreadable", reason: `must have at most ${MAX_CHARACTERS} characters` };
  }
  return { type: "key", key };
}
