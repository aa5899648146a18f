import { systemNow, systemSetTimeout } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";
import { withoutPasswords } from "./passwords.ts";
import { shownError } from "./shown-error.ts";

/** What a program hears that has configured nothing: warnings and errors as readable lines on stderr, limited. */

/** How many lines of one kind, by its message, are printed in a minute; of one kind and run, one ever. */
const LINES_PER_MINUTE = 5;
const MINUTE = 60_000;

/** So many pairs of kind and run are remembered. */
const MOST_SEEN = 10_000;

/** The longest text of an error. */
const MOST_CHARACTERS = 2_000;

type Level = "warn" | "error";

interface Kind {
  /** When the minute began in which it was printed last. */
  since: number;
  printed: number;
  leftOut: number;
}

/**
 * A logger that prints warnings with `console.warn` and errors with `console.error`, each as one line. A kind of message is
 * printed once per run and at most five times a minute; then a line says how many were left out.
 *
 * @param after calls a function later, without keeping the process alive
 */
export function consoleLogger(
  now: () => number = systemNow,
  after: (ms: number, fn: () => void) => void = (ms, fn) => void systemSetTimeout(fn, ms).unref(),
): Logger {
  const kinds = new Map<string, Kind>();
  const seen = new Set<string>();

  const print = (level: Level, line: string): void => {
    try {
      console[level](`perdure: ${withoutPasswords(line)}`);
    } catch {
      // Somebody has replaced the console's method. A timer prints, too: what is thrown there would end the process.
    }
  };

  const isNew = (message: string, runId: unknown): boolean => {
    if (typeof runId !== "string") return true;
    const key = JSON.stringify([message, runId]);
    if (seen.has(key)) return false;
    seen.add(key);
    for (const oldest of seen) {
      if (seen.size <= MOST_SEEN) break;
      seen.delete(oldest);
    }
    return true;
  };

  const log =
    (level: Level) =>
    (message: string, fields: LogFields = {}): void => {
      if (!isNew(message, fields.runId)) return;
      let kind = kinds.get(message);
      if (kind === undefined || now() - kind.since >= MINUTE) {
        kind = { since: now(), printed: 0, leftOut: 0 };
        kinds.set(message, kind);
      }
      if (kind.printed < LINES_PER_MINUTE) {
        kind.printed++;
        print(level, lineOf(message, fields));
        return;
      }
      if (kind.leftOut++ > 0) return;
      const { since } = kind;
      const current = kind;
      after(since + MINUTE - now(), () =>
        print(level, `${message} (${current.leftOut} more within a minute were left out)`),
      );
    };

  return { debug() {}, info() {}, warn: log("warn"), error: log("error") };
}

/** The fields that every line names alike, in this order. */
const NAMES: Readonly<Record<string, string>> = { runId: "run", workflow: "workflow", step: "step" };

function lineOf(message: string, fields: LogFields): string {
  const { error, ...rest } = fields;
  const known = Object.keys(NAMES).filter((key) => key in rest);
  const others = Object.keys(rest).filter((key) => !(key in NAMES));
  const about = [...known, ...others]
    .filter((key) => rest[key] !== undefined && rest[key] !== "")
    .map((key) => `${NAMES[key] ?? key} ${short(rest[key])}`);
  const subject = about.length === 0 ? "" : ` (${about.join(", ")})`;
  return `${message}${subject}${error === undefined ? "" : `: ${textOf(error)}`}`.replaceAll(
    /\s*\n\s*| {2,}/g,
    " ",
  );
}

function short(value: unknown): string {
  try {
    if (Array.isArray(value)) return value.map(short).join(", ");
    return typeof value === "object" && value !== null ? "[object]" : String(value);
  } catch {
    return "[object]";
  }
}

function textOf(error: unknown): string {
  const shown = shownError(error);
  return (shown === undefined ? short(error) : `${shown.name}: ${shown.message}`).slice(0, MOST_CHARACTERS);
}
