/**
 * Notices that run documents were written, by whomever, through a change stream of the server. Losing the stream costs
 * latency only: the driver resumes it by itself, and where it cannot, another is opened after a pause, longer each time.
 * The server sends that something changed, not what: every worker of a store would get every byte that is written.
 *
 * The timers are real ones, whatever clock the engine runs by: they wait for the server.
 */
import { clearTimeout, setTimeout } from "node:timers";
import type { ChangeStream, Collection } from "mongodb";

/** Changes that come within so many milliseconds are one hint. */
const COLLECT = 5;
/** Milliseconds until a lost stream is opened again, at first and at most. */
const REOPEN = 1_000;
const LONGEST_REOPEN = 60_000;
/** A change event needs its `_id`, by which the stream is resumed, and nothing else. */
const NOTHING_ELSE = [{ $project: { _id: 1 } }];

/**
 * Calls `onChange` some milliseconds after a write.
 *
 * @returns the function that ends it
 */
export function watchForChanges(runs: Collection, onChange: () => void): () => void {
  let stream: ChangeStream | undefined;
  let reopening: NodeJS.Timeout | undefined;
  let collecting: NodeJS.Timeout | undefined;
  let ended = false;
  let pause = REOPEN;

  function hint(): void {
    pause = REOPEN;
    collecting ??= setTimeout(() => {
      collecting = undefined;
      onChange();
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
    stream = runs.watch(NOTHING_ELSE);
    stream.on("change", hint);
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
