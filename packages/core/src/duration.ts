/**
 * The one reading of durations: `sleep("3 days")`, `retryAfter: "5m"`, `timeout: 30_000`, `ttl: new Date(…)`.
 */
import { closestMatch } from "leven";
import ms, { type StringValue } from "ms";

/** A length in milliseconds, a text such as `"90s"`, `"5m"` or `"3 days"`, or the point in time itself. */
export type Duration = number | StringValue | Date;

/** The latest time that a `Date` can hold, in milliseconds since the epoch. */
const LATEST = 8_640_000_000_000_000;

/**
 * The length of a duration in whole milliseconds, or `undefined` for a `Date`, which is a point in time. A part of a
 * millisecond counts as one: times in a World are whole numbers, and nothing is shorter than it was asked to be.
 *
 * @param what names the duration in errors: `sleep()`, `start({ ttl })`
 * @throws {TypeError} if it is negative, not finite, or cannot be read
 */
export function durationMs(value: number | string | Date, what: string): number | undefined {
  if (isDate(value)) {
    if (Number.isNaN(value.getTime())) throw unreadable(value, what);
    return undefined;
  }
  const length = typeof value === "string" ? parse(value) : value;
  if (typeof length !== "number" || !(length >= 0 && length <= LATEST)) throw unreadable(value, what);
  return Math.ceil(length);
}

/**
 * The absolute time at which a duration that begins at `now` ends, both in milliseconds since the epoch.
 * A `Date` is returned as its time, also when it has passed. Throws as {@link durationMs} does.
 */
export function parseDuration(value: number | string | Date, now: number, what: string): number {
  return durationFrom(value, what)(now);
}

/** Reads a duration now that begins later: the function gives the time at which it ends, as {@link parseDuration} does. */
export function durationFrom(value: number | string | Date, what: string): (now: number) => number {
  const length = durationMs(value, what);
  if (length !== undefined) return (now) => Math.min(now + length, LATEST);
  const end = (value as Date).getTime();
  return () => end;
}

function parse(text: string): number | undefined {
  // ms throws on the empty string and on texts over 100 characters; both are unreadable to us.
  if (text.length === 0 || text.length > 100) return undefined;
  return ms(text as StringValue);
}

function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === "[object Date]";
}

const UNITS = ["ms", "seconds", "minutes", "hours", "days", "weeks", "months", "years"];

function unreadable(value: unknown, what: string): TypeError {
  const unit = typeof value === "string" ? /^[\d.]+\s*([a-z]{2,})$/i.exec(value)?.[1] : undefined;
  const nearest = unit === undefined ? undefined : closestMatch(unit.toLowerCase(), UNITS);
  return new TypeError(
    `${what}: ${display(value)} is not a duration${nearest === undefined ? "" : `; the nearest unit is ${nearest}`}. Pass ` +
      'milliseconds (30_000), a text such as "90s", "5m", "2 hours" or "3 days", or a valid Date. It must not be negative.',
  );
}

function display(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "number" || typeof value === "bigint" || value == null) return String(value);
  return isDate(value) ? "an invalid Date" : `a value of type ${typeof value}`;
}
