/**
 * The time that one call on the store may take. Only time in which this process could hear the answer counts: while it
 * computes, answers wait for it.
 */
import { clearImmediate, clearInterval, setImmediate, setInterval } from "node:timers";

/** A call took longer than it may. Whether it wrote is not known. */
export class Overdue extends Error {
  constructor(milliseconds: number) {
    super(`no answer within ${milliseconds} ms`);
    this.name = "Overdue";
  }
}

/**
 * What `work` gives, or {@link Overdue} once the time is over. `work` goes on: `onOverdue` ends what it uses.
 */
export function within<T>(
  milliseconds: number,
  work: () => Promise<T>,
  onOverdue: (error: Overdue) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const { stop } = countdown(milliseconds, () => {
      const error = new Overdue(milliseconds);
      reject(error);
      onOverdue(error);
    });
    work().then(resolve, reject).finally(stop);
  });
}

/** Into so many pieces a time is divided. One during which the process was busy counts once, however long it was. */
const PIECES = 10;

/** Counts time down, and calls `onOver` at its end unless it was stopped. */
export function countdown(
  milliseconds: number,
  onOver: () => void = () => {},
): { left(): number; stop(): void } {
  const piece = milliseconds / PIECES;
  let pieces = PIECES;
  let last: NodeJS.Immediate | undefined;
  const timer = setInterval(() => {
    pieces--;
    if (pieces > 0) return;
    clearInterval(timer);
    // What has arrived is read before.
    last = setImmediate(onOver);
  }, Math.ceil(piece));
  return {
    left: () => pieces * piece,
    stop() {
      clearInterval(timer);
      clearImmediate(last);
    },
  };
}
