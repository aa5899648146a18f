import { EncryptionError, WorkflowRunNotFoundError, WorldError } from "../errors/index.ts";
import { isRefusal } from "../interpreter/kinds/index.ts";
import { journalPages } from "../journal-pages.ts";
import { checkOptionNames } from "../option-names.ts";
import { decode, decodeError } from "../serialization/index.ts";
import type { JournalEvent, World } from "../world/index.ts";
import { EncryptedValue, shown } from "./encrypted-value.ts";

/** The journal of a run as programs read it: decoded, page by page, with what cannot be read named in its place. */

/** Options of {@link Run.events}. */
export interface RunEventsOptions {
  /** Only events after this `seq`: that of the last one that was read, to go on there. Default 0, from the beginning. */
  readonly after?: number;
  /** At most so many events. Default: all that there are at the call. */
  readonly limit?: number;
}

/** An event of a run's journal. */
export interface RunEvent {
  /** Its place: 1, 2, 3 … A run that continued as new shows its last generation, which begins later. */
  readonly seq: number;
  /** What happened: `run_created`, `step_created`, `step_completed`, `wait_created` …; `damaged` where the store cannot say. */
  readonly type: string;
  /** When, by the clock of the worker that wrote it; `undefined` where the store cannot say. */
  readonly at: Date | undefined;
  /** The step, sleep or hook that it is about, such as a `stepId`; `null` for the run itself. */
  readonly id: string | null;
  /**
   * What belongs to it, such as the id of the step's function; or `null`. Of the end of a step's attempt, when its body was called, in
   * milliseconds since the epoch.
   */
  readonly name: string | null;
  /**
   * Its value: arguments, a result, the error of a step that failed, a payload, the time at which a sleep ends. With an
   * {@link error} as much of it as can be read; an {@link EncryptedValue} where it is encrypted with a key that is not here.
   */
  readonly value: unknown;
  /** Why it cannot be read as it was written: a class or a key that this process does not know, damaged bytes. `null` for none. */
  readonly error: Error | null;
}

const PAGE = 200;

/** Reads what was passed to `events`. Throws a `TypeError` for what cannot be meant. */
export function eventsOptions(options: RunEventsOptions): {
  readonly after: number;
  readonly limit: number;
} {
  checkOptionNames<RunEventsOptions>("events()", options, { after: true, limit: true });
  const { after = 0, limit = Number.POSITIVE_INFINITY } = options;
  if (!Number.isInteger(after) || after < 0) {
    throw new TypeError(`events(): after must be the seq of an event, or 0, got ${String(after)}.`);
  }
  if (limit !== Number.POSITIVE_INFINITY && (!Number.isInteger(limit) || limit < 1)) {
    throw new TypeError(`events(): limit must be a whole number from 1 on, got ${String(limit)}.`);
  }
  return { after, limit };
}

/**
 * The events of a run, up to the last one that it had at the call. Each page is read when the one before it was taken.
 *
 * @param ask asks the World
 */
export async function* eventsOf(
  ask: <T>(question: (world: World) => Promise<T>) => Promise<T>,
  runIdNow: () => string,
  options: { readonly after: number; readonly limit: number },
): AsyncGenerator<RunEvent, void, void> {
  const run = await ask(async (world) => (await world.getRuns([runIdNow()]))[0] ?? null);
  const runId = runIdNow();
  if (run === null) throw new WorkflowRunNotFoundError(runId);
  const read = (_runId: string, after: number, limit: number): Promise<readonly RunEvent[]> =>
    ask((world) => readable(world, runId, after, limit));
  let left = options.limit;
  for await (const page of journalPages(read, run, options.after, Math.min(PAGE, left))) {
    for (const event of page) {
      if (left === 0) return;
      yield event;
      left--;
    }
    if (left === 0) return;
  }
}

/** Events after a place, at least one if there is one: what cannot be read is looked for by halves, and named. */
async function readable(
  world: World,
  runId: string,
  after: number,
  limit: number,
): Promise<readonly RunEvent[]> {
  try {
    return (await world.listEvents(runId, after, limit)).map(runEvent);
  } catch (error) {
    if (!WorldError.is(error) || !error.damaged) throw error;
    if (limit > 1) return await readable(world, runId, after, limit >> 1);
    const nothing = { at: undefined, id: null, name: null, value: undefined };
    return [{ seq: after + 1, type: "damaged", ...nothing, error }];
  }
}

function runEvent({ seq, type, at, id, name, data }: JournalEvent): RunEvent {
  return { seq, type, at: new Date(at), id, name, ...readEventValue(type, data) };
}

/** The value of an event, as much of it as can be read here, and why that is not all. */
export function readEventValue(type: string, data: Uint8Array | null): Pick<RunEvent, "value" | "error"> {
  if (data !== null && isRefusal(type)) return { value: new TextDecoder().decode(data), error: null };
  try {
    return { value: decode(data), error: null };
  } catch (error) {
    if (EncryptionError.is(error)) return { value: new EncryptedValue(error.keyId), error };
    return { value: asFarAsKnown(data), error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** The error that is stored so; where it is encrypted with a key that is not here, what stands for it. */
export function readStoredError(data: Uint8Array): unknown {
  return shown(() => decodeError(data));
}

/** Instances of unknown classes are their data. */
function asFarAsKnown(data: Uint8Array | null): unknown {
  try {
    return decode(data, { lenient: true });
  } catch {
    return undefined;
  }
}
