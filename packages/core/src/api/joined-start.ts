import type { Clock } from "../clock.ts";
import { refuseSealedText } from "../encryption/sealed-bytes.ts";
import { IdempotencyConflictError, IdempotencyMismatchError } from "../errors/index.ts";
import { childRunId, type IdSource } from "../ids.ts";
import { intercepted } from "../interceptors/index.ts";
import { createRunRequest, type NewRun } from "../interpreter/new-run.ts";
import type { Logger } from "../logger.ts";
import { callClaim, startName } from "../names.ts";
import type { World } from "../world/index.ts";
import type { RunAccess } from "./run-access.ts";
import type { StartRequest } from "./start-request.ts";

/** Starts with a transaction of the user's: the run is there when the transaction has been committed, or never. */

/** So long, in milliseconds, a run is looked for that is not there; it may have been rolled back. */
const LONGEST_LOOK = 2_000;
const PAUSE = 20;

export interface JoinedStartOptions {
  readonly world: World;
  readonly clock: Pick<Clock, "now" | "setTimer">;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** What {@link World.joining} takes. */
  readonly tx: unknown;
  /** The call in a step that starts it: another attempt of the step gets the same run. */
  readonly callId: string | undefined;
}

/**
 * Writes the start into the transaction; gives the id of the run, and how its handle gets to it.
 *
 * @throws {WorldError} if the World cannot join it
 */
export async function joinStart(
  access: RunAccess,
  { keyAt, terms, ...asked }: StartRequest,
  options: JoinedStartOptions,
): Promise<{ readonly runId: string; readonly access: RunAccess }> {
  if (terms.onConflict === "replace" || terms.failedRuns !== undefined) {
    throw new TypeError(
      'start({ tx }): onConflict: "replace" and failedRuns are not for transactions: which run has the key is known only after the ' +
        "commit. Leave them out, or start without tx.",
    );
  }
  const { world, clock, ids, logger, tx, callId } = options;
  const at = clock.now();
  const runId = callId === undefined ? ids.runId(at) : childRunId(callId, at);
  const run: NewRun = { ...asked, runId, key: keyAt(at) };
  const beginning = { at, lease: null, mail: [], ...(callId !== undefined && { callId }) };
  await intercepted(
    { runId, workflowName: run.workflow, callerRunId: null, logger },
    async (headers) => {
      const { lease: _, ...request } = createRunRequest(run, { ...beginning, headers });
      await world.joining(tx).createRuns([request], at);
    },
    () => ({ type: "pending" }),
  );
  return { runId, access: joinedAccess(access, run, terms.onConflict === "reject", options) };
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
function joinedAccess(
  access: RunAccess,
  run: NewRun,
  rejects: boolean,
  { world, clock, callId }: JoinedStartOptions,
): RunAccess {
  const { workflow, key } = run;
  let found: string | null = null;
  let onFound: (runId: string) => void = () => {};

  async function look(): Promise<string | null> {
    if (key === null && callId === undefined) return (await world.getRuns([run.runId]))[0]?.runId ?? null;
    const name = key === null ? callClaim(callId ?? "").name : startName(workflow, key.key);
    const [held] = await world.getNames([name], clock.now());
    if (held === null || held === undefined) return null;
    if (key === null || held.runId === run.runId) return held.runId;
    refuseSealedText(held.fingerprint);
    if (held.fingerprint !== key.fingerprint) {
      throw new IdempotencyMismatchError(workflow, key.key, held.runId);
    }
    if (rejects) throw new IdempotencyConflictError(workflow, key.key, held.runId);
    return held.runId;
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
    releaseKey: async () => access.releaseKey(await id()),
    ask: async (what, question) => {
      await id();
      return await access.ask(what, question);
    },
  };
}
