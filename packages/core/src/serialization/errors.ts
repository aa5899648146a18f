/**
 * Thrown values to bytes and back. Recording a failure must not fail, so `encodeError` never throws, and its result is
 * bounded whatever was thrown.
 */
import { SerializationError } from "../errors/input.ts";
import { signalHost } from "./abort.ts";
import { cutText, ERROR_LIMITS, type ErrorLimits } from "./error-data.ts";
import { pack } from "./format.ts";
import { decode } from "./values.ts";
import { write } from "./write.ts";

/** No stored error is larger, in bytes. */
export const MAX_ERROR_BYTES: number = 64 * 1024;

/** Tried in order until one fits. The last one always does. */
const LIMITS: readonly ErrorLimits[] = [
  ERROR_LIMITS,
  { message: 4096, stack: 4096, depth: 4, property: 1024, properties: 16, errors: 4 },
  { message: 1024, stack: 2048, depth: 0, property: 256, properties: 16, errors: 0 },
];

/**
 * The bytes of a thrown value, at most {@link MAX_ERROR_BYTES}. An error keeps its class (Perdure's, built-in or
 * registered), name, message, stack, cause and those own properties that can be stored; what is too long is cut with a
 * visible mark. Any other value is kept if it can be stored, and else described by an error. Never throws.
 *
 * @param facts what the stored error also says, where the error has no property of that name. What was thrown is never changed:
 *   programs throw one object again and again.
 */
export function encodeError(error: unknown, facts: object = {}): Uint8Array {
  const signals = signalHost();
  let obstacle = `it has more than ${MAX_ERROR_BYTES} bytes.`;
  for (const limits of LIMITS) {
    try {
      const thrown = typeof error === "string" ? cutText(error, limits.message) : error;
      const bytes = pack("d", write(thrown, "thrown", signals, { limits, error: thrown, facts }));
      if (bytes.length <= MAX_ERROR_BYTES) return bytes;
    } catch (refusal) {
      if (SerializationError.is(refusal)) obstacle = refusal.message;
    }
  }
  const message = `A value that cannot be stored was thrown${messageOf(error)}: ${cutText(obstacle, 1024)}`;
  const substitute = new Error(message);
  return pack("d", write(substitute, "thrown", signals, { limits: ERROR_LIMITS, error: substitute, facts }));
}

/**
 * What `encodeError` was given: an error of the same class, or the thrown value. In a process that does not know an
 * error's class, it is of the nearest known one and keeps its name.
 *
 * @throws {SerializationError} if the bytes are damaged or of an unknown format
 */
export function decodeError(bytes: Uint8Array): unknown {
  return decode(bytes, { lenient: true });
}

/** So many causes deep, whoever reads an error finds it readable. */
const READABLE_CAUSES = 8;

/**
 * What was thrown; where looking at it throws, or its texts are none (a getter, a proxy), what a replay would find in its place. Called
 * once, where code of the user's has thrown, so that nobody after it has to fear what was thrown. Never throws.
 */
export function readable(thrown: unknown): unknown {
  return isReadable(thrown, READABLE_CAUSES) ? thrown : decodeError(encodeError(thrown));
}

function isReadable(thrown: unknown, causes: number): boolean {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) return true;
  try {
    if (!(thrown instanceof Error)) {
      // Whoever asks for a message of this must not be thrown at either.
      void (thrown as { readonly message?: unknown }).message;
      return true;
    }
    const { name, message, stack, cause } = thrown;
    void (thrown as { readonly code?: unknown }).code;
    const areTexts = typeof name === "string" && typeof message === "string";
    const isStack = stack === undefined || typeof stack === "string";
    return areTexts && isStack && (causes === 0 || isReadable(cause, causes - 1));
  } catch {
    return false;
  }
}

function messageOf(thrown: unknown): string {
  try {
    const { message } = thrown as { message?: unknown };
    return typeof message === "string" ? ` with the message ${JSON.stringify(cutText(message, 1024))}` : "";
  } catch {
    return "";
  }
}
