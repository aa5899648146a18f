import { FatalError, SerializationError } from "../../errors/index.ts";
import type { Known } from "../../interpreter/pending.ts";
import { readAhead } from "../../interpreter/read-ahead.ts";
import { encode, storable } from "../../serialization/index.ts";

/** The body did its work, and would only do it again: a result that cannot be stored, or read back, fails the step at once. */
export function storedResult(
  result: unknown,
  largest: number,
): { readonly value: Uint8Array | null; readonly known?: Known } {
  try {
    const value = storable(encode(result, "result"), "result", largest);
    return { value, ...readBack(value) };
  } catch (cause) {
    throw new FatalError(`The step has done its work, but its ${(cause as Error).message}`, { cause });
  }
}

function readBack(value: Uint8Array | null): { readonly known?: Known } {
  try {
    return readAhead(value);
  } catch (cause) {
    throw new SerializationError("result", `cannot be read back: ${(cause as Error).message}`, { cause });
  }
}
