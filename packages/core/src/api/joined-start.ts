import type { Clock } from "../clock.ts";
import { runThatHolds, type StartRunInput } from "../engine/system-steps/start-run.ts";
import { createRunRequest } from "../interpreter/new-run.ts";
import { startName } from "../names.ts";
import type { World } from "../world/index.ts";
import type { RunAccess } from "./run-access.ts";

/** Starts with a transaction of the user's: the run is there when the transaction has been committed, or never. */

/** So long, in milliseconds, a run is looked for that is not there; it may have been rolled back. */
const LONGEST_LOOK = 2_000;
const PAUSE = 20;

export interface JoinedStartOptions {
  readonly world: World;
  readonly clock: Pick<Clock, "now" | "setTimer">;
  /** What {@link World.joining} takes. */
  readonly tx: unknown;
  readonly start: StartRunInput;
}

/**
 * Writes the start into the transaction.
 *
 * @throws {WorldError} if the World cannot join it
 */
export async function joinStart({ world, clock, tx, start }: JoinedStartOptions): Promise<void> {
  const at = clock.now();
  const { lease: _, ...request } = createRunRequest(start.run, { at, lease: null, mail: [] });
  await world.joining(tx).createRuns([request], at);
}

/** What passing streams or signals to a run, or payload, of a transaction is refused with. */
export function refuseTied(what: string, tied: boolean): void {
  if (!tied) return;
  throw new TypeError(
    `${what}: streams and abort signals cannot be passed with a transaction, which may yet be rolled back. Pass them without tx, or leave them out.`,
  );
}

/** Carries out what committed transactions left: any claim does, also one of no queues. */
async function carryOut(world: World, now: number): Promise<void> {
  const nobody = { owner: "", claimId: "", ttl: 0 };
  await world.claim({ ...nobody, queues: [], limit: 1, byteLimit: 0, now, cached: new Map(), eventLimit: 0 });
}

/**
 * The access of a handle whose run comes with a transaction. It finds the run by its key, which may have another run than the one
 * that was asked for, and else by its id.
 */
export function joinedAccess(access: RunAccess, { world, clock, start }: JoinedStartOptions): RunAccess {
  const { run } = start;
  const { workflow, key } = run;
  let found: string | null = null;
  let onFound: (runId: string) => void = () => {};

  async function look(): Promise<string | null> {
    if (key === null) return (await world.getRuns([run.runId]))[0]?.runId ?? null;
    const [held] = await world.getNames([startName(workflow, key.key)], clock.now());
    if (held === null || held === undefined) return null;
    if (held.runId === run.runId) return held.runId;
    return runThatHolds(held, start);
  }

  /** A committed start may be with somebody who carries it out just now. */
  async function lookForLong(): Promise<string | null> {
    const until = clock.now() + LONGEST_LOOK;
    for (;;) {
      const there = await look();
      if (there !== null || clock.now() >= until) return there;
      await carryOut(world, clock.now());
      await new Promise<void>((resolve) => clock.setTimer(clock.now() + PAUSE, resolve));
    }
  }

  /** The run's id; of one that is not there, that which it would have. */
  async function id(): Promise<string> {
    if (found !== null) return found;
    const there = await access.ask("A property of a run", () => lookForLong());
    if (there === null) return run.runId;
    found = there;
    onFound(there);
    return there;
  }

  return {
    streams: access.streams,
    whenFound(listener) {
      onFound = listener;
    },
    getRecord: async () => access.getRecord(await id()),
    ended: async (_, options) => access.ended(await id(), options),
    cancel: async (_, reason, mode) => access.cancel(await id(), reason, mode),
    retry: async (_, keys) => access.retry(await id(), keys),
    fork: async (_, options) => access.fork(await id(), options),
    state: async (_, options) => access.state(await id(), options),
    wakeUp: async (_, ids) => access.wakeUp(await id(), ids),
    ask: async (what, question) => {
      await id();
      return await access.ask(what, question);
    },
  };
}
