import { FatalError, SerializationError } from "../../errors/index.ts";
import { decode, encode, storable } from "../../serialization/index.ts";
import { type StreamOutlet, withOutlet } from "../../serialization/stream-values.ts";

/** A step's result. */
export interface StoredResult {
  readonly value: Uint8Array | null;
  /** What the workflow gets: a copy, read back from `value`. */
  readonly decoded: unknown;
}

/** The body did its work, and would only do it again: a result that cannot be stored, or read back, fails the step at once. */
export function storedResult(result: unknown, largest: number, outlet: StreamOutlet): StoredResult {
  try {
    const value = storable(
      withOutlet(outlet, () => encode(result, "result")),
      "result",
      largest,
    );
    return { value, decoded: readBack(value) };
  } catch (cause) {
    throw new FatalError(`The step has done its work, but its ${(cause as Error).message}`, { cause });
  }
}

function readBack(value: Uint8Array | null): unknown {
  try {
    return decode(value);
  } catch (cause) {
    throw new SerializationError("result", `cannot be read back: ${(cause as Error).message}`, { cause });
  }
}
