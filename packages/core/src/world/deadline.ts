/**
 * The time that one call on a store may take. Only time in which this process could hear the answer counts: while it computes,
 * answers wait for it.
 */
import {
  systemClearImmediate,
  systemClearInterval,
  systemSetImmediate,
  systemSetInterval,
} from "../clock.ts";

/** A call took longer than it may. Whether it wrote is not known. */
export class Overdue extends Error {
  constructor(milliseconds: number) {
    super(`no answer within ${milliseconds} ms`);
    this.name = "Overdue";
  }
}

/**
 * What `work` gives, or, once the time is over, a rejection with what `onOverdue` gives. `work` goes on: `onOverdue` ends what
 * it uses. Keeps the process alive meanwhile: somebody waits for the answer.
 */
export function within<T>(
  milliseconds: number,
  work: () => Promise<T>,
  onOverdue: (error: Overdue) => unknown = (error) => error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const answer = work();
    const { stop } = countdown(milliseconds, () => reject(onOverdue(new Overdue(milliseconds))));
    answer.then(resolve, reject).finally(stop);
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
  const timer = systemSetInterval(() => {
    pieces--;
    if (pieces > 0) return;
    systemClearInterval(timer);
    // What has arrived is read before.
    last = systemSetImmediate(onOver);
  }, Math.ceil(piece));
  return {
    left: () => pieces * piece,
    stop() {
      systemClearInterval(timer);
      systemClearImmediate(last);
    },
  };
}
