/**
 * One server for all test files of a run: the first file that asks starts it, the others wait for it. What is shared is
 * a file in the run's folder; who may start is decided by a lock file beside it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isAlive } from "./process.ts";

/** The environment variable that names the run's folder; `vitest-setup.ts` sets it. */
export const RUN_FOLDER = "PERDURE_TESTBED_RUN";
/** The environment variable that names the process with which the run ends. */
export const RUN_OWNER = "PERDURE_TESTBED_OWNER";

/** The folder of this test run; `undefined` outside of one. */
export function runFolder(): string | undefined {
  return process.env[RUN_FOLDER];
}

/** What `start` gave to the first file of this run that asked; it must survive JSON. */
export async function sharedInRun<T>(name: string, folder: string, start: () => Promise<T>): Promise<T> {
  const file = join(folder, `${name}.json`);
  const lock = join(folder, `${name}.lock`);
  return oneAtATime(
    lock,
    () => read<T>(file),
    async () => {
      const started = await start();
      writeFileSync(`${file}.new`, JSON.stringify(started));
      renameSync(`${file}.new`, file);
      return started;
    },
  );
}

/**
 * What is there already, by `look`; else what `make` makes. Of several processes that ask at once one makes, the others
 * wait for it.
 */
export async function oneAtATime<T, U>(
  lock: string,
  look: () => T | undefined,
  make: () => Promise<U>,
): Promise<T | U> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (!take(lock)) {
      await delay(50);
      continue;
    }
    try {
      // The one that had the lock before may have been done a moment ago.
      return look() ?? (await make());
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
}

function read<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Takes the lock unless a living process has it. */
function take(lock: string): boolean {
  const holder = join(lock, "pid");
  try {
    mkdirSync(lock);
    writeFileSync(holder, String(process.pid));
    return true;
  } catch {
    const pid = read<number>(holder);
    if (pid !== undefined && !isAlive(pid)) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}
