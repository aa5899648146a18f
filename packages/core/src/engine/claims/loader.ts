import { AsyncResource } from "node:async_hooks";
import type { Clock } from "../../clock.ts";
import type { Context } from "../../context.ts";
import { contexts } from "../../contexts.ts";
import { functionOf } from "../../define/built-ins.ts";
import { isKeptEncrypted, refuseSealed } from "../../encryption/sealed-bytes.ts";
import {
  DamagedRunError,
  LeaseLostError,
  PoisonedRunError,
  WorkflowNotRegisteredError,
  WorldError,
} from "../../errors/index.ts";
import { measured, measures } from "../../interceptors/index.ts";
import { admission, knowAdmission } from "../../interpreter/admission.ts";
import { noted } from "../../interpreter/events.ts";
import { Execution } from "../../interpreter/execution.ts";
import { knowTokens } from "../../interpreter/kinds/hook-state.ts";
import { knowRequests, STEPS } from "../../interpreter/kinds/requests-before.ts";
import { beginningIn, checkEngine } from "../../interpreter/kinds/run.ts";
import { signalsOf } from "../../interpreter/kinds/signal.ts";
import { SYSTEM_STEPS } from "../../interpreter/kinds/system-step.ts";
import { sleepIn } from "../../interpreter/kinds/wait.ts";
import { type ReplayOptions, type RequestDifference, replay } from "../../interpreter/replay.ts";
import { journalPages } from "../../journal-pages.ts";
import type { Logger } from "../../logger.ts";
import { outside } from "../../outside.ts";
import type { ClaimedRun, JournalEvent, NewEvent, RunRecord, World } from "../../world/index.ts";
import { EVENT_PAGE } from "./claim-loop.ts";
import { poisonOf } from "./poison.ts";
import { POISONED_AFTER } from "./quarantine.ts";

/** Bringing a run into memory: the rest of its journal, a fresh execution, and the replay. */

export interface LoadRequest {
  readonly runId: string;
  readonly workflow: string;
  readonly generation: number;
  /** The beginning of its journal; at least `run_created`. */
  readonly events: readonly Pick<JournalEvent, "data">[];
  readonly largestValue: number;
  readonly clock: () => number;
  readonly newToken: () => string;
  readonly onActivity: () => void;
  readonly onStray: (reason: unknown) => void;
}

/** Where a run's journal begins and ends, and under which claim. */
type JournalPlace = Pick<RunRecord, "runId" | "firstSeq" | "seq" | "epoch" | "claimId">;

/** A fresh execution, not begun. */
export function newExecution({ events, ...options }: LoadRequest): Execution {
  const { workflow } = options;
  const fn = functionOf(workflow);
  if (fn === undefined) throw new WorkflowNotRegisteredError(workflow);
  const input = events[0]?.data ?? null;
  // As the journal has it, whatever keys this process has: a replay must say the same.
  const encrypted = isKeptEncrypted(input);
  return new Execution({ ...options, fn, admission, input, encrypted, enter: entrance(), sleep: sleepIn });
}

/** The way into an execution's context, which is made once: to make one costs more than to enter it. */
function entrance(): <T>(execution: Execution, call: () => T) => T {
  let inside: AsyncResource | null = null;
  return (execution, call) => {
    inside ??= outside(() => {
      const context: Context = {
        kind: "workflow",
        execution,
        get signals() {
          return signalsOf(execution);
        },
      };
      return contexts.run(context, () => new AsyncResource("perdure", { requireManualDestroy: true }));
    });
    return inside.runInAsyncScope(call);
  };
}

/**
 * The whole journal of a run, given its row and the beginning.
 *
 * @throws {DamagedRunError} if the store has another one than its row says, or a damaged one; {@link LeaseLostError} if another
 *   worker has had the run since; {@link EncryptionError} if it cannot be read
 *   here; what else the store throws, as it is
 */
export async function readJournal(
  world: World,
  place: JournalPlace,
  first: readonly JournalEvent[],
): Promise<readonly JournalEvent[]> {
  const { runId, firstSeq, seq, epoch, claimId } = place;
  const events = [...first];
  // The last event that the store has, also if it came after the claim.
  let last = firstSeq - 1 + events.length;
  const read = async (_runId: string, after: number): Promise<readonly JournalEvent[]> => {
    const page = await pageOf(world, runId, after);
    last = page.at(-1)?.seq ?? last;
    return page;
  };
  for await (const page of journalPages(read, place, last)) events.push(...page);
  const gap = events.findIndex((event, index) => event.seq !== firstSeq + index);
  if (gap >= 0 || last !== seq) {
    // Nobody else writes it, unless the run was claimed again while this worker stood still: it may have begun anew, or be deleted, since.
    const [row] = await world.getRuns([runId]);
    if (row?.epoch !== epoch || row.claimId !== claimId) throw new LeaseLostError(runId, epoch);
    throw new DamagedRunError(
      runId,
      gap >= 0
        ? `event ${firstSeq + gap} of its journal is missing`
        : last < seq
          ? `its journal ends at event ${last}, its row says ${seq}`
          : `its journal goes up to event ${last}, its row says ${seq}`,
    );
  }
  return events;
}

/** The beginning of a journal that no claim has brought, or how it is damaged. Rejects with what else the store throws. */
export async function firstEvents(
  world: World,
  { runId, firstSeq }: JournalPlace,
): Promise<Pick<ClaimedRun, "events" | "damage">> {
  try {
    return { events: await pageOf(world, runId, firstSeq - 1), damage: null };
  } catch (error) {
    if (DamagedRunError.is(error)) return { events: [], damage: error };
    throw error;
  }
}

async function pageOf(world: World, runId: string, after: number): Promise<readonly JournalEvent[]> {
  try {
    const events = await world.listEvents(runId, after, EVENT_PAGE);
    refuseSealed(events);
    return events;
  } catch (error) {
    // Such as a file that was deleted: that says nothing of the run.
    if (!WorldError.is(error) || !error.damaged) throw error;
    throw new DamagedRunError(runId, `its journal cannot be read after event ${after}`, { cause: error });
  }
}

/** Brings a fresh execution to the end of its journal. Throws what parks the run as diverged. */
export async function replayJournal(
  execution: Execution,
  events: readonly JournalEvent[],
  options: ReplayOptions,
): Promise<void> {
  knowTokens(execution, events);
  knowRequests(execution, [STEPS, SYSTEM_STEPS], events);
  knowAdmission(execution, events);
  await replay(execution, events, options);
}

/** Tells a fresh execution what its run was created with. */
export function primed(execution: Execution, events: readonly NewEvent[]): void {
  for (const event of events) noted(execution, event);
}

/** A journal, and what keeps the run from following it. */
export interface Replayed {
  readonly journal: readonly JournalEvent[];
  /** An error, or whatever else was thrown; `null` for none. */
  readonly obstacle: unknown;
}

/** What a replay of a claimed run needs of its worker. */
export interface ReplayTerms {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly strictReplay: boolean;
}

/** Brings the execution to the end of its journal, or tells what stands in the way. Rejects with what may pass. */
export async function replayClaimed(
  execution: Execution,
  claimed: ClaimedRun,
  { world, clock, logger, strictReplay: strict }: ReplayTerms,
): Promise<Replayed> {
  const { run: row, damage } = claimed;
  const from = measures() ? clock.elapsed() : null;
  let journal: readonly JournalEvent[] = [];
  try {
    if (damage !== null) throw new DamagedRunError(row.runId, damage.message, { cause: damage });
    journal = await readJournal(world, row, claimed.events);
    if (row.lostClaims >= POISONED_AFTER) throw poisonOf(row, journal);
  } catch (error) {
    if (DamagedRunError.is(error) || PoisonedRunError.is(error)) return { journal, obstacle: error };
    throw error;
  }
  const onDifference = (fields: RequestDifference): void =>
    logger.warn(
      "a replay asked for the same with other values, and the journal's are used: the code was changed, or is not deterministic. Look at what it computes at this path; strictReplay makes this an error",
      { ...fields },
    );
  try {
    checkEngine(journal[0]);
    if (journal.length > 1) await replayJournal(execution, journal, { clock, strict, onDifference });
    if (from !== null && beginningIn(journal) !== undefined) {
      const duration = clock.elapsed() - from;
      const { workflow: workflowName } = row;
      measured(logger, { type: "replay", workflowName, events: journal.length, duration });
    }
    return { journal, obstacle: null };
  } catch (error) {
    return { journal, obstacle: error };
  }
}
