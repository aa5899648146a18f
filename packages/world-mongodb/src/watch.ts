/**
 * Notices that run documents were written, or chunks of streams, by whomever, through change streams of the server. Losing the stream costs
 * latency only: the driver resumes it by itself, and where it cannot, another is opened after a pause, longer each time.
 * The server sends that something changed, not what: every worker of a store would get every byte that is written.
 *
 * The timers are real ones, whatever clock the engine runs by: they wait for the server.
 */
import { clearTimeout, setTimeout } from "node:timers";
import type { Hint } from "@perdure/core/world";
import type { ChangeStream, Collection, Document } from "mongodb";
import { fromStored } from "./text.ts";

/** Changes that come within so many milliseconds are one hint. */
const COLLECT = 5;
/** Milliseconds until a lost stream is opened again, at first and at most. */
const REOPEN = 1_000;
const LONGEST_REOPEN = 60_000;
/** A change event needs its `_id`, by which the stream is resumed, and nothing else. */
const NOTHING_ELSE = [{ $project: { _id: 1 } }];
/** Of chunks it also tells whose they are: workers are not woken by them. */
const ADDRESS = [
  { $match: { operationType: "insert" } },
  { $project: { _id: 1, "fullDocument.run": 1, "fullDocument.name": 1 } },
];

/** Of an outbox: what was carried out is deleted from it. */
const INSERTS = [{ $match: { operationType: "insert" } }, ...NOTHING_ELSE];

/**
 * Calls `onChange` some milliseconds after a write.
 *
 * @returns the function that ends it
 */
export function watchForChanges(runs: Collection, onChange: () => void): () => void {
  return follow(runs, NOTHING_ELSE, () => onChange());
}

/**
 * Calls `onChunks` with a hint for each stream some milliseconds after a write.
 *
 * @returns the function that ends it
 */
export function watchForChunks(streams: Collection, onChunks: (hint: Hint) => void): () => void {
  return follow(streams, ADDRESS, (events) => {
    const hints = new Map<string, Hint>();
    for (const { fullDocument } of events as readonly { fullDocument?: Record<string, unknown> }[]) {
      const { run, name } = fullDocument ?? {};
      if (typeof run !== "string" || typeof name !== "string") continue;
      hints.set(`${run.length} ${run}${name}`, {
        type: "stream",
        runId: fromStored(run),
        name: fromStored(name),
      });
    }
    for (const hint of hints.values()) onChunks(hint);
  });
}

/**
 * Calls `onOutbox` some milliseconds after a transaction with a start or a message was committed.
 *
 * @returns the function that ends it
 */
export function watchForJoined(outbox: Collection, onOutbox: (hint: Hint) => void): () => void {
  return follow(outbox, INSERTS, () => onOutbox({ type: "outbox" }));
}

/** Follows the changes of a collection, and calls `onEvents` with those of a few milliseconds at a time. */
function follow(
  collection: Collection,
  pipeline: readonly Document[],
  onEvents: (events: readonly Document[]) => void,
): () => void {
  let stream: ChangeStream | undefined;
  let reopening: NodeJS.Timeout | undefined;
  let collecting: NodeJS.Timeout | undefined;
  let events: Document[] = [];
  let ended = false;
  let pause = REOPEN;

  function hear(event: Document): void {
    pause = REOPEN;
    events.push(event);
    collecting ??= setTimeout(() => {
      collecting = undefined;
      const heard = events;
      events = [];
      onEvents(heard);
    }, COLLECT).unref();
  }

  function lose(): void {
    stream?.close().catch(() => {});
    stream = undefined;
    if (ended || reopening !== undefined) return;
    reopening = setTimeout(open, pause).unref();
    pause = Math.min(2 * pause, LONGEST_REOPEN);
  }

  function open(): void {
    reopening = undefined;
    stream = collection.watch([...pipeline]);
    stream.on("change", hear);
    stream.on("error", lose);
    stream.on("end", lose);
  }

  open();
  return () => {
    ended = true;
    clearTimeout(reopening);
    clearTimeout(collecting);
    lose();
  };
}
