import { FatalError, SerializationError } from "../../errors/index.ts";
import type { Known } from "../../interpreter/pending.ts";
import { readAhead } from "../../interpreter/read-ahead.ts";
import {
  afterReading,
  encode,
  type StreamOutlet,
  storable,
  UnreadBody,
  withOutlet,
} from "../../serialization/index.ts";
import { type AttemptResult, unstored } from "./attempt.ts";

/**
 * The body did its work, and would only do it again: a result that cannot be stored, or read back, fails the step at once. A
 * response whose own body breaks off while it is read has not done its work. Its streams go to `outlet`. It is
 * there at once, unless a body has to be read first: of two steps, the one that is done first is told first.
 */
export function resultOf(
  result: unknown,
  largest: number,
  outlet: StreamOutlet,
): AttemptResult | Promise<AttemptResult> {
  try {
    const encoded = withOutlet(outlet, () => encode(result, "result"));
    const value = storable(encoded, "result", largest);
    return { type: "completed", value, ...readBack(value) };
  } catch (cause) {
    if (!(cause instanceof UnreadBody)) return unstored(unstorable(cause as Error));
    return afterReading(cause, () => resultOf(result, largest, outlet)).catch((error: unknown) => {
      if (SerializationError.is(error)) return unstored(unstorable(error));
      throw error;
    });
  }
}

function readBack(value: Uint8Array | null): { readonly known?: Known } {
  try {
    return readAhead(value);
  } catch (cause) {
    throw new SerializationError("result", `cannot be read back: ${(cause as Error).message}`, { cause });
  }
}

/** Fatal, under the name that the refusal itself has. */
function unstorable(cause: Error): FatalError {
  const error = new FatalError(
    `Failed to serialize step return value: the step has done its work, but its ${cause.message}`,
    { cause },
  );
  Object.defineProperty(error, "name", { value: cause.name, writable: true, configurable: true });
  return error;
}
