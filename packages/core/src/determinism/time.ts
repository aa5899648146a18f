/**
 * Everything that tells time. A workflow's clocks all show the time of the last event that it has seen: those that count
 * from some moment, such as `performance.now()`, count from 1970.
 */
import perfHooks from "node:perf_hooks";
import type { GuardedContext, Lookup } from "./context.ts";
import { guardDate } from "./date.ts";
import { type AnyFunction, answered, answeredGetter, likeness, type Slot } from "./slot.ts";

/** `Temporal.Now` as far as it is used here; Node has it from version 26. */
interface TemporalGlobal {
  readonly Now: object;
  readonly Instant: {
    fromEpochMilliseconds(ms: number): { toZonedDateTimeISO(zone: unknown): ZonedDateTime };
  };
}

interface ZonedDateTime {
  toPlainDateTime(): unknown;
  toPlainDate(): unknown;
  toPlainTime(): unknown;
}

/** In the order in which they are installed: what hangs on a function comes before the function. */
export const TIME_SLOTS: readonly Slot[] = [
  // On the original too, for classes that extended it before it was replaced.
  { holder: () => globalThis.Date, key: "now", guard: answered((context) => context.now()) },
  { holder: () => globalThis, key: "Date", guard: guardDate },
  // So that `value.constructor === Date` holds as it does without the guard.
  { holder: () => globalThis.Date.prototype, key: "constructor", guard: () => globalThis.Date },
  { holder: () => Intl.DateTimeFormat.prototype, key: "format", guard: guardFormat, accessor: true },
  { holder: () => Intl.DateTimeFormat.prototype, key: "formatToParts", guard: answered(withDate) },
  ...performanceSlots(() => globalThis.performance),
  // Another one where a fake clock has replaced the global one.
  ...performanceSlots(() => {
    return perfHooks.performance === globalThis.performance ? undefined : perfHooks.performance;
  }),
  {
    holder: () => process.hrtime,
    key: "bigint",
    guard: answered((context) => BigInt(context.now()) * 1_000_000n),
  },
  { holder: () => process, key: "hrtime", guard: answered(hrtime) },
  { holder: () => process, key: "uptime", guard: answered((context) => context.now() / 1000) },
  temporal("instant", (context) => instant(context)),
  temporal("zonedDateTimeISO", (context, [zone]) => zoned(context, zone)),
  temporal("plainDateTimeISO", (context, [zone]) => zoned(context, zone).toPlainDateTime()),
  temporal("plainDateISO", (context, [zone]) => zoned(context, zone).toPlainDate()),
  temporal("plainTimeISO", (context, [zone]) => zoned(context, zone).toPlainTime()),
];

function performanceSlots(holder: () => object | undefined): Slot[] {
  return [
    { holder, key: "now", guard: answered((context) => context.now()) },
    {
      holder: () => Object.getPrototypeOf(holder() ?? Object.create(null)) ?? undefined,
      key: "timeOrigin",
      guard: answeredGetter(() => 0),
      accessor: true,
    },
    {
      holder,
      key: "mark",
      guard: answered((context, [name, options], original) =>
        original(name, { startTime: context.now(), ...(options as object | undefined) }),
      ),
    },
    { holder, key: "measure", guard: answered(measure) },
  ];
}

function measure(
  context: GuardedContext,
  args: unknown[],
  original: (...args: unknown[]) => unknown,
): unknown {
  const [name, from, to] = args;
  const options: { end?: unknown; duration?: unknown } =
    typeof from === "object" && from !== null ? { ...from } : ({ start: from, end: to } as object);
  // Without an end, or a start and a duration that give one, it would end now.
  if (options.end === undefined && options.duration === undefined) options.end = context.now();
  return original(name, options);
}

function withDate(context: GuardedContext, [date]: unknown[], format: (date: unknown) => unknown): unknown {
  return format(date === undefined ? context.now() : date);
}

/** The `format` of a formatter is a getter that gives one function, always the same. */
function guardFormat(original: AnyFunction, lookup: Lookup): AnyFunction {
  const guards = new WeakMap<AnyFunction, unknown>();
  return likeness(original, function (this: unknown) {
    const format = Reflect.apply(original, this, []) as AnyFunction;
    const known = guards.get(format) ?? answered(withDate)(format as never, lookup);
    guards.set(format, known);
    return known;
  });
}

function hrtime(
  context: GuardedContext,
  [before]: unknown[],
  original: (before: unknown) => unknown,
): unknown {
  // The original refuses what is no earlier result.
  if (before !== undefined) original(before);
  const [seconds = 0, nanos = 0] = (before ?? []) as number[];
  const now = context.now();
  const passed = Math.floor(now / 1000) - seconds;
  const rest = Math.round((now % 1000) * 1e6) - nanos;
  return rest < 0 ? [passed - 1, rest + 1e9] : [passed, rest];
}

function temporal(key: string, answer: (context: GuardedContext, args: unknown[]) => unknown): Slot {
  return { holder: () => temporalGlobal()?.Now, key, guard: answered(answer) };
}

function instant(context: GuardedContext): ReturnType<TemporalGlobal["Instant"]["fromEpochMilliseconds"]> {
  return (temporalGlobal() as TemporalGlobal).Instant.fromEpochMilliseconds(context.now());
}

function zoned(context: GuardedContext, zone: unknown): ZonedDateTime {
  return instant(context).toZonedDateTimeISO(zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone);
}

function temporalGlobal(): TemporalGlobal | undefined {
  return (globalThis as { Temporal?: TemporalGlobal }).Temporal;
}
