/** The workflows that are measured: what a user writes, with a step that costs nothing and returns a small record. */
import { acquireLock, createHook, step, workflow } from "perdure";

/** When each step body of a run began and ended, in `performance.now()` milliseconds, in the order of execution. */
export interface Clocking {
  readonly began: number[];
  readonly ended: number[];
}

const clockings = new Map<string, Clocking>();

/** The times of the runs that were started with this label. */
export function clockingOf(label: string): Clocking {
  let clocking = clockings.get(label);
  if (clocking === undefined) {
    clocking = { began: [], ended: [] };
    clockings.set(label, clocking);
  }
  return clocking;
}

const charge = step("bench/charge", async (label: string, index: number) => {
  const clocking = clockingOf(label);
  clocking.began.push(performance.now());
  const receipt = { id: `ch_${index}`, customer: label, amount: 4200, paid: true };
  clocking.ended.push(performance.now());
  return receipt;
});

/** `steps` steps, one after the other. */
export const sequence: (label: string, steps: number) => Promise<number> = workflow(
  "bench/sequence",
  async (label: string, steps: number) => {
    let sum = 0;
    for (let index = 0; index < steps; index += 1) {
      sum += (await charge(label, index)).amount;
    }
    return sum;
  },
);

/** `steps` steps at once. */
export const fanOut: (label: string, steps: number) => Promise<number> = workflow(
  "bench/fan-out",
  async (label: string, steps: number) => {
    const receipts = await Promise.all(Array.from({ length: steps }, (_, index) => charge(label, index)));
    return receipts.length;
  },
);

/** `steps` steps, one after the other, and then a wait for a message to the hook `label`. */
export const parked: (label: string, steps: number) => Promise<string> = workflow(
  "bench/parked",
  async (label: string, steps: number) => {
    for (let index = 0; index < steps; index += 1) {
      await charge(label, index);
    }
    return await createHook<string>({ token: label });
  },
);

/** `locks` locks, one after the other, acquired and released between steps. */
export const locking: (label: string, locks: number) => Promise<void> = workflow(
  "bench/locking",
  async (label: string, locks: number) => {
    await charge(label, 0);
    for (let index = 1; index <= locks; index += 1) {
      const lock = await acquireLock(`${label}/${index}`);
      await lock.release();
      await charge(label, index);
    }
  },
);

/** Has a lock until it is cancelled. */
export const holdsLock: (key: string) => Promise<void> = workflow("bench/holds-lock", async (key: string) => {
  await acquireLock(key);
  await createHook();
});

/** Has a lock once. */
export const locksOnce: (key: string) => Promise<void> = workflow("bench/locks-once", async (key: string) => {
  await using _ = await acquireLock(key);
});
