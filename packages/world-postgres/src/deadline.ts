/** The time that one call on the store may take, by the machine's monotonic clock. */
import { clearTimeout, setTimeout } from "node:timers";

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
    const timer = setTimeout(() => {
      const error = new Overdue(milliseconds);
      reject(error);
      onOverdue(error);
    }, milliseconds);
    work()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

/** A function that tells how many milliseconds have passed since now. */
export function stopwatch(): () => number {
  const began = process.hrtime.bigint();
  return () => Number(process.hrtime.bigint() - began) / 1e6;
}
