import { decodeError, encodeError } from "../serialization/index.ts";

/** What a diverged run's row keeps besides the reason, for the worker that can follow its journal again. */

/**
 * The row's `error`. `interrupted`: steps were under way under a lease that was lost. The journal cannot be told before
 * the code follows it, and the lease that could is given back.
 */
export function encodeDivergence(error: unknown, interrupted: boolean): Uint8Array {
  if (!interrupted) return encodeError(error);
  try {
    return encodeError(Object.assign(error as object, { interrupted }));
  } catch {
    // An error that refuses properties.
    return encodeError(Object.assign(new Error(String(error), { cause: error }), { interrupted }));
  }
}

/** Whether steps of a diverged run were interrupted before it was parked. */
export function wasInterrupted(error: Uint8Array | null): boolean {
  if (error === null) return false;
  return (decodeError(error) as { readonly interrupted?: unknown } | null)?.interrupted === true;
}
