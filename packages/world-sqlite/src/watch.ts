/**
 * Notices that another connection, of this or another process, has written the database file.
 *
 * The operating system says when the WAL file changes, and `PRAGMA data_version` says whether that was somebody else:
 * it does not count this connection's own writes. Losing a change costs latency only.
 *
 * The timers are real ones, whatever clock the engine runs by: they wait for the disk.
 */
import { type FSWatcher, watch } from "node:fs";
import { clearTimeout, setInterval, setTimeout } from "node:timers";

// A commit becomes visible only after its last write to the WAL and the flush that follows, so one look at the first
// sign of a write could be too early. Milliseconds from one look to the next.
const LOOKS = [1, 4, 10, 25, 60] as const;

// Where the system cannot watch the file: a look costs some microseconds.
const POLL_INTERVAL = 100;

/**
 * Calls `onChange` some milliseconds after another connection's commit. Never keeps the process alive.
 *
 * @param readVersion the value of `PRAGMA data_version` on this instance's connection; may throw
 * @returns the function that ends it
 */
export function watchForChanges(file: string, readVersion: () => number, onChange: () => void): () => void {
  let version: number | undefined;
  let look = 0;
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;

  function compare(): void {
    let current: number;
    try {
      current = readVersion();
    } catch {
      return; // Busy for a moment; there are more looks to come.
    }
    const changed = version !== undefined && current !== version;
    version = current;
    if (changed) onChange();
  }

  function schedule(next: number): void {
    clearTimeout(timer);
    look = next;
    timer = setTimeout(lookAgain, LOOKS[look]).unref();
  }

  function lookAgain(): void {
    timer = undefined;
    compare();
    if (look + 1 < LOOKS.length) schedule(look + 1);
  }

  function onWrite(): void {
    if (timer === undefined || look > 0) schedule(0);
  }

  function poll(): void {
    watcher?.close();
    clearTimeout(timer);
    timer = setInterval(compare, POLL_INTERVAL).unref();
  }

  compare();
  // Windows reports writes only when the writer closes the file.
  if (process.platform === "win32") poll();
  else {
    try {
      watcher = watch(`${file}-wal`, { persistent: false }, onWrite);
      watcher.once("error", poll);
    } catch {
      poll();
    }
  }
  return () => {
    watcher?.close();
    clearTimeout(timer);
  };
}
