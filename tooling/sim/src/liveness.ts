import { isTerminal, type RunRecord } from "@perdure/core/world";
import { LawBroken } from "./failure.ts";
import type { RunFold } from "./fold.ts";
import { hooksIn } from "./kinds/hook.ts";
import { isWaiting, wakeAt } from "./kinds/index.ts";
import type { StoreView } from "./kinds/kind.ts";
import { systemStepsOf } from "./kinds/system-step.ts";

/** The laws about when a run is looked at again. */

/** So many lost claims make a run a suspect, which is executed alone or, in the end, not at all. */
export const SUSPECT_AFTER = 3;

interface Terms {
  /** Clocks are set wrong, so a worker knows the store's time only as exactly as its answers are quick. */
  readonly skewed: boolean;
  readonly leaseTtl: number;
  readonly now: number;
}

/** Every run that is not over is due at some time, or waits for somebody who will wake it. */
export function checkAlive(
  view: StoreView,
  row: RunRecord,
  fold: RunFold,
  { skewed, leaseTtl, now }: Terms,
): void {
  const broken = (what: string): never => {
    throw new LawBroken("liveness of a parked run", what, row.runId);
  };
  // A suspect that found no place to be alone comes again a little later.
  const late = row.lostClaims >= SUSPECT_AFTER || skewed;
  const patience = late ? 1.5 * leaseTtl : 0;
  if (isTerminal(row.status)) {
    // What it owes is found by #end; here, that somebody looks.
    const isLate = row.owner === null && row.dueAt !== null && row.dueAt > now + patience;
    if (isLate) broken(`the run has ended and is due only at ${row.dueAt}`);
    return;
  }
  const { owner, dueAt } = row;
  const { open: openSystem } = systemStepsOf(fold);
  // A poisoned run waits for somebody who has mended it.
  if (row.status === "diverged" && owner === null && row.lostClaims >= SUSPECT_AFTER) return;
  if (
    dueAt === null &&
    (owner !== null || (hooksIn(fold).live.size === 0 && openSystem.size + fold.spared.size === 0))
  )
    broken("it has neither a due time, nor a hook, nor a run that it waits for");
  // A diverged run waits for other code, and not for what its journal says.
  if (owner !== null || row.status === "diverged") return;
  if (row.status === "pending" && dueAt === null) broken("it has not begun and is not due");
  checkWoken(row, now);
  const isDue = dueAt !== null && dueAt <= now + patience;
  for (const call of isDue ? [] : openSystem.values()) {
    if (!isWaiting(view, row.runId, call)) broken(`nobody will do its system step ${call.name} ${call.id}`);
  }
  const wake = wakeAt(fold);
  // Who starts a run, or has one gone on with, may have a wrong clock.
  if (
    wake !== null &&
    row.status !== "pending" &&
    (dueAt === null || dueAt > Math.max(wake, now) + patience)
  ) {
    broken(`its next step or sleep is due at ${wake}, but the run at ${dueAt}`);
  }
}

/** A message wakes a run that nobody holds. */
export function checkWoken({ runId, mailSeq, mailDone, dueAt }: RunRecord, now: number): void {
  if (mailSeq === mailDone || (dueAt !== null && dueAt <= now)) return;
  throw new LawBroken(
    "liveness of a parked run",
    `message ${mailSeq} waits in the mailbox, but the run is due at ${dueAt}`,
    runId,
  );
}
