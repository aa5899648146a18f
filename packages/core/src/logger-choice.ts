import { consoleLogger } from "./console-logger.ts";
import { jsonLogger } from "./json-logger.ts";
import { guardedLogger, type LogFields, type Logger, silentLogger } from "./logger.ts";

/** A logger of `pino`, or of another library with its order of arguments; known by its method `bindings`. */
export interface PinoLogger {
  bindings(): unknown;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * What may be given as `logger`:
 *
 * - `"pretty"`, the default: warnings and errors as readable lines on the console, each kind at most once per run and five
 *   times a minute;
 * - `"json"`: every message from `info` up as one line of JSON on stderr;
 * - `"silent"`;
 * - an object with `warn` and `error`, and `debug` and `info` if it wants them, that take `(message, fields)`;
 * - a logger of `pino`, whose error field is `err`.
 *
 * What a logger throws never reaches the engine.
 */
export type LoggerChoice =
  | "pretty"
  | "json"
  | "silent"
  | (Pick<Logger, "warn" | "error"> & Partial<Logger>)
  | PinoLogger;

/** One for the process, since its limits count what the process prints. */
let shared: Logger | undefined;

/**
 * The logger that a choice stands for.
 *
 * @throws {TypeError} for anything that is no {@link LoggerChoice}
 */
export function resolveLogger(choice: LoggerChoice = "pretty"): Logger {
  switch (choice) {
    case "pretty":
      shared ??= guardedLogger(consoleLogger());
      return shared;
    case "json":
      return guardedLogger({
        ...jsonLogger((line) => void process.stderr.write(line)),
        debug: silentLogger.debug,
      });
    case "silent":
      return silentLogger;
    default:
      if (typeof choice?.warn !== "function" || typeof choice.error !== "function") {
        throw new TypeError(
          'logger: must be "pretty", "json", "silent" or an object with the methods warn and error.',
        );
      }
      return guardedLogger(isPino(choice) ? messageFirst(choice) : choice);
  }
}

function isPino(logger: object): logger is PinoLogger {
  return "bindings" in logger && typeof logger.bindings === "function";
}

function messageFirst(pino: PinoLogger): Logger {
  const log =
    (level: keyof Logger) =>
    (message: string, { error, ...fields }: LogFields = {}): void =>
      pino[level](error === undefined ? fields : { ...fields, err: error }, message);
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}
