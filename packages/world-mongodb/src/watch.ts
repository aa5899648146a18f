/**
 * Notices that run documents were written, by whomever, through a change stream of the server. Losing the stream costs
 * latency only: the driver resumes it by itself, and where it cannot, another is opened after a pause.
 *
 * The timers are real ones, whatever clock the engine runs by: they wait for the server.
 */
import { clearTimeout, setTimeout } from "node:timers";
import type { ChangeStream, Collection } from "mongodb";

/** Changes that come within so many milliseconds are one hint. */
const COLLECT = 5;
/** Milliseconds until a lost stream is opened again. */
const REOPEN = 1_000;

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

  function hint(): void {
    collecting ??= setTimeout(() => {
      collecting = undefined;
      onChange();
    }, COLLECT).unref();
  }

  function lose(): void {
    stream?.close().catch(() => {});
    stream = undefined;
    if (!ended) reopening ??= setTimeout(open, REOPEN).unref();
  }

  function open(): void {
    reopening = undefined;
    stream = runs.watch([], { fullDocument: "default" });
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
