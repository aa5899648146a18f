import { contexts } from "./contexts.ts";

/**
 * Where the engine reports. A message says what happened and what to do, the fields what it is about. An object whose
 * methods take `(message, fields)`, such as `console`, fits as it is; so does a `winston` logger whose format prints the `Error` in
 * the field `error`.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What a message is about, such as `{ runId, workflow, step, error }`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * A logger that never changes what its caller does: what it throws, or what rejects in it, ends here, and it runs outside
 * of workflows and steps. Made once, where a logger of the user's comes in.
 */
export function guardedLogger(logger: Partial<Logger>): Logger {
  const guarded =
    (level: keyof Logger) =>
    (message: string, fields?: LogFields): void => {
      contexts.exit(() => {
        try {
          const answer: unknown = logger[level]?.(message, fields);
          if (typeof answer === "object" && answer !== null) Promise.resolve(answer).catch(() => {});
        } catch {
          // A logger that fails has nowhere to report it.
        }
      });
    };
  return { debug: guarded("debug"), info: guarded("info"), warn: guarded("warn"), error: guarded("error") };
}
