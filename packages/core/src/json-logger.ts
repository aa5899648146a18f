import { inspect, types } from "node:util";
import { systemNow } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";
import { withoutPasswords } from "./passwords.ts";

/** How many causes of an error are shown. */
const MOST_CAUSES = 5;

/**
 * One line of JSON per message, with `time`, `level`, `message` and the fields. Errors are shown with name, message, code,
 * stack and causes; what JSON has no form for (a circular object, a function) as Node prints it.
 *
 * @param write where a line goes, its end included
 */
export function jsonLogger(write: (line: string) => void): Logger {
  const log =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      const own = { time: new Date(systemNow()).toISOString(), level, message };
      const members = Object.entries({ ...own, ...fields, ...own }).map(
        ([key, value]) => `${JSON.stringify(key)}:${jsonOf(value)}`,
      );
      write(`${withoutPasswords(`{${members.join(",")}}`)}\n`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, plain) ?? JSON.stringify(String(value));
  } catch {
    return JSON.stringify(shown(value));
  }
}

function shown(value: unknown): string {
  try {
    return inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY });
  } catch {
    return "(a value that cannot be shown)";
  }
}

/** A replacer of `JSON.stringify`; `this[key]` is the value before its own `toJSON`. */
function plain(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const raw = this[key];
  if (types.isNativeError(raw)) return describe(raw, MOST_CAUSES);
  return typeof value === "bigint" ? String(value) : value;
}

// Not its other properties: a driver's hold the values of the statement that failed.
function describe(error: Error, causes: number): Readonly<Record<string, unknown>> {
  const { name, message, stack, cause, code, errors } = error as Error & { code?: unknown; errors?: unknown };
  const inner = (value: unknown): unknown =>
    types.isNativeError(value) ? describe(value, causes - 1) : typeof value === "string" ? value : undefined;
  return {
    name,
    message,
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
    stack,
    cause: causes > 0 ? inner(cause) : undefined,
    errors: causes > 0 && Array.isArray(errors) ? errors.slice(0, MOST_CAUSES).map(inner) : undefined,
  };
}
