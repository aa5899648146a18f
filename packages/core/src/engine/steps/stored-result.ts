import { FatalError, SerializationError } from "../../errors/index.ts";
import { decode, encode, readBody, storable, UnreadBody } from "../../serialization/index.ts";

/**
 * The body did its work, and would only do it again: a result that cannot be stored, or read back, fails the step at once. A
 * response whose own body breaks off while it is read has not done its work.
 */
export async function storedResult(
  result: unknown,
  largest: number,
): Promise<{ readonly value: Uint8Array | null; readonly decoded: unknown }> {
  for (;;) {
    try {
      const value = storable(encode(result, "result"), "result", largest);
      return { value, decoded: readBack(value) };
    } catch (cause) {
      if (!(cause instanceof UnreadBody)) throw unstorable(cause);
      await readBody(cause.holder, cause.path).catch((error: unknown) => {
        throw SerializationError.is(error) ? unstorable(error) : error;
      });
    }
  }
}

function unstorable(cause: unknown): FatalError {
  return new FatalError(`The step has done its work, but its ${(cause as Error).message}`, { cause });
}

function readBack(value: Uint8Array | null): unknown {
  try {
    return decode(value);
  } catch (cause) {
    throw new SerializationError("result", `cannot be read back: ${(cause as Error).message}`, { cause });
  }
}
