/** Times, lengths of time and numbers in few characters. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time: `12 ms`, `3.4 s`, `5 min 2 s`, `2 h 4 min`, `3 d 1 h`. */
export function lengthOf(ms: number): string {
  const length = Math.max(0, ms);
  if (length < SECOND) return `${Math.round(length)} ms`;
  if (length < 10 * SECOND) return `${(length / SECOND).toFixed(1)} s`;
  if (length < MINUTE) return `${Math.floor(length / SECOND)} s`;
  if (length < HOUR) return two(length, MINUTE, "min", SECOND, "s");
  if (length < DAY) return two(length, HOUR, "h", MINUTE, "min");
  return two(length, DAY, "d", HOUR, "h");
}

function two(length: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((length % large) / small);
  const whole = `${Math.floor(length / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

/** How long ago, or in how long: `just now`, `5 min ago`, `in 2 h`. */
export function fromNow(at: number, now: number): string {
  const away = now - at;
  const length = Math.abs(away);
  if (length < 5 * SECOND) return "just now";
  const text =
    length < MINUTE
      ? `${Math.floor(length / SECOND)} s`
      : length < HOUR
        ? `${Math.floor(length / MINUTE)} min`
        : length < DAY
          ? `${Math.floor(length / HOUR)} h`
          : `${Math.floor(length / DAY)} d`;
  return away > 0 ? `${text} ago` : `in ${text}`;
}

const exact = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});

/** A moment in full, in the reader's time zone. */
export function exactTime(at: number): string {
  return exact.format(at);
}

/** The time of day of a moment of today, and the date with it of another one. */
export function shortTime(at: number, now: number): string {
  return new Date(at).toDateString() === new Date(now).toDateString() ? clock.format(at) : exact.format(at);
}

/** The time of day with milliseconds. */
export function timeOfDay(at: number): string {
  return clock.format(at);
}

const whole = new Intl.NumberFormat("en");

/** A number with separators: `12,345`. */
export function count(number: number): string {
  return whole.format(number);
}

/** `1 run`, `12 runs`. */
export function counted(number: number, one: string, many: string = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A size: `12 B`, `3.4 kB`, `1.2 MB`. */
export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/**
 * The name of a workflow or a step as people say it: the last part of its id, `workflow//./orders/ship//shipOrder` → `shipOrder`.
 */
export function shortName(id: string): string {
  return id.split("//").at(-1) || id;
}
