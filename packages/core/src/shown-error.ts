import { types } from "node:util";

/** Errors as loggers show them. Looking at what was thrown never throws, whatever it is, and what is shown of it is bounded. */

/** What is shown of an error: not its other properties, since a driver's hold the values of the statement that failed. */
export interface ShownError {
  readonly name: string;
  readonly message: string;
  readonly code: string | number | undefined;
  readonly stack: string | undefined;
  readonly cause: ShownError | string | undefined;
  readonly errors: readonly (ShownError | string | undefined)[] | undefined;
}

/** How many causes of an error are shown, and how many errors of an `AggregateError`. */
const MOST_CAUSES = 5;
/** The longest text that is shown, in characters. */
const LONGEST_TEXT = 16_384;

const UNREADABLE = "(cannot be read)";

/** Whether a value is an error of any realm, or a proxy of one, or does not let itself be asked. */
export function isError(value: unknown): value is Error {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    return true;
  }
}

/** What an error says, or an object that has a message like one; `undefined` for any other value. */
export function shownError(value: unknown, causes: number = MOST_CAUSES): ShownError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const message = textOf(value, "message");
  if (message === undefined && !isError(value)) return undefined;
  const inner = (part: unknown): ShownError | string | undefined =>
    typeof part === "string" ? cut(part) : shownError(part, causes - 1);
  const code = read(value, "code");
  const errors = read(value, "errors");
  return {
    name: textOf(value, "name") ?? "Error",
    message: message ?? "",
    code: typeof code === "number" ? code : typeof code === "string" ? cut(code) : undefined,
    stack: textOf(value, "stack"),
    cause: causes > 0 ? inner(read(value, "cause")) : undefined,
    errors: causes > 0 && isList(errors) ? errors.slice(0, MOST_CAUSES).map(inner) : undefined,
  };
}

/** A text of a length that can be printed. */
export function cut(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}… [${text.length} characters]`;
}

function textOf(value: object, key: string): string | undefined {
  try {
    const text = (value as Readonly<Record<string, unknown>>)[key];
    return text === undefined ? undefined : cut(String(text));
  } catch {
    return UNREADABLE;
  }
}

function read(value: object, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key];
  } catch {
    return UNREADABLE;
  }
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && !types.isProxy(value);
}
