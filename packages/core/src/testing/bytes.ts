/** A copy of the caller's bytes, which it may use again. */
export function keepBytes(data: Uint8Array): Uint8Array;
export function keepBytes(data: Uint8Array | null): Uint8Array | null;
export function keepBytes(data: Uint8Array | null): Uint8Array | null {
  return data === null ? null : new Uint8Array(data);
}
