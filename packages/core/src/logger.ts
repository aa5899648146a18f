/** Where the engine reports. Silent by default; a `pino` or `console`-like object fits after one wrapping function. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What a message is about, such as `{ runId, stepId, attempt }`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** One line of JSON per message on a stream, for programs that want logs and have no logger. */
export function jsonLogger(write: (line: string) => void): Logger {
  const log =
    (level: string) =>
    (message: string, fields?: LogFields): void =>
      write(`${JSON.stringify({ level, message, ...fields })}\n`);
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}
