import { inspect } from "node:util";
import { systemNow } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";
import { withoutPasswords } from "./passwords.ts";
import { cut, isError, shownError } from "./shown-error.ts";

/** The longest field, in characters; of a longer one the beginning is shown, as a text. */
const LONGEST = 262_144;

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
    const json = JSON.stringify(isError(value) ? shownError(value) : value, plain);
    return json === undefined || json.length > LONGEST ? JSON.stringify(cut(json ?? String(value))) : json;
  } catch {
    return JSON.stringify(cut(shown(value)));
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
  if (isError(raw)) return shownError(raw);
  if (typeof value === "string") return cut(value);
  return typeof value === "bigint" ? String(value) : value;
}
