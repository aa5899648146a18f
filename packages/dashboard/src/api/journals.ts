import type { RunEvent } from "@perdure/core/api";
import { type Client, type TimelineEntry, timelineOf } from "@perdure/core/inspect";
import type { RunRecord } from "@perdure/core/world";
import { lineOf } from "../views/text.ts";

/**
 * Timelines of runs that are looked at: a journal only grows, so what was read of it is kept, without the values, and a look at a run
 * that goes on reads what is new.
 */

/** What a timeline shows of a value. */
export interface ValueLine {
  readonly line: string | null;
  /** An error is shown in full. */
  readonly error: Error | null;
  /** The time at which a sleep ends. */
  readonly until: number | null;
}

/** What is known of a run's journal. */
export interface KnownJournal {
  readonly generation: number;
  readonly events: RunEvent[];
  /** The last event that was read. */
  seq: number;
}

/** The journals of so many runs are kept. */
const MOST = 20;
/** A timeline is made of so many events at most. */
const LONGEST = 50_000;

const LINE = 120;

export class Journals {
  readonly #client: Client;
  readonly #known: Map<string, KnownJournal> = new Map();
  readonly #reading: Map<string, Promise<KnownJournal>> = new Map();

  constructor(client: Client) {
    this.#client = client;
  }

  /** The timeline of a run, and the last event that it is made of. */
  async timeline(
    run: RunRecord,
  ): Promise<{ readonly entries: readonly TimelineEntry[]; readonly seq: number }> {
    const { runId } = run;
    // One reads at a time; the others go on from there.
    const before = this.#reading.get(runId) ?? Promise.resolve();
    const reading = before.then(
      () => this.#read(run),
      () => this.#read(run),
    );
    this.#reading.set(runId, reading);
    try {
      const { events, seq } = await reading;
      return { entries: timelineOf(events), seq };
    } finally {
      if (this.#reading.get(runId) === reading) this.#reading.delete(runId);
    }
  }

  async #read({ runId, generation, firstSeq, seq }: RunRecord): Promise<KnownJournal> {
    let known = this.#known.get(runId);
    if (known?.generation !== generation) known = { generation, events: [], seq: firstSeq - 1 };
    this.#known.delete(runId);
    this.#known.set(runId, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
    if (known.seq >= seq || known.events.length >= LONGEST) return known;
    const limit = LONGEST - known.events.length;
    for await (const event of this.#client.getRun(runId).events({ after: known.seq, limit })) {
      if (event.id !== null) known.events.push(withoutValue(event));
      known.seq = event.seq;
    }
    return known;
  }
}

/** What a timeline is made of, and no more. */
function withoutValue(event: RunEvent): RunEvent {
  if (event.type.endsWith("_retrying")) return event;
  const { value } = event;
  const time = value instanceof Date ? value.getTime() : value;
  const shown: ValueLine = {
    line: lineOf(value, LINE),
    error: value instanceof Error ? value : null,
    until: event.type === "wait_created" && typeof time === "number" ? time : null,
  };
  return { ...event, value: shown };
}
