import type { JournalEvent } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { type RunFold, valueIn } from "../fold.ts";
import { slot } from "../slot.ts";
import type { Kind, SystemCall, Write } from "./kind.ts";

/** System steps, whatever they do: what each of them does is in the file of its kind. */

/** The system steps of a run, as its journal has them. */
export interface SystemSteps {
  /** All that it asked for, by id. */
  readonly asked: Map<string, SystemCall>;
  /** Those whose result it waits for. */
  readonly open: Map<string, SystemCall>;
  /** Those whose result the journal has. */
  readonly closed: Set<string>;
  /** What it has asked for itself, and not the run for which it goes on. */
  readonly own: Set<string>;
  /** Those that it may ask for under the ids that they had in another run. */
  readonly again: Set<string>;
}

export const systemStepsOf: (fold: RunFold) => SystemSteps = slot(() => ({
  asked: new Map(),
  open: new Map(),
  closed: new Set(),
  own: new Set(),
  again: new Set(),
}));

export const systemStepKind: Kind = {
  events: {
    system_step_created: {
      givesId: true,
      read(fold, event) {
        const { asked, own, open } = systemStepsOf(fold);
        const id = event.id ?? "";
        const call = { id, name: event.name ?? "", input: valueIn<unknown>(event) };
        asked.set(id, call);
        if (!fold.inheriting) own.add(id);
        open.set(id, call);
      },
    },
    system_step_again: {
      after: true,
      read(fold, event) {
        fold.ofAnother(event);
        systemStepsOf(fold).again.add(event.id ?? "");
      },
    },
    system_step_recorded: {
      after: true,
      read(fold, event) {
        fold.ofAnother(event);
        fold.recorded.add(event.id ?? "");
      },
    },
    system_step_completed: { read: close },
    system_step_failed: { read: close },
    run_cancel_requested: {
      read(fold) {
        const { open } = systemStepsOf(fold);
        for (const id of open.keys()) fold.spared.add(id);
        open.clear();
      },
    },
    run_completed: { read: end },
    run_failed: { read: end },
    run_cancelled: { read: end },
  },
  anew(fold) {
    const { open, closed } = systemStepsOf(fold);
    // They are done, and nobody is told.
    for (const id of [...open.keys(), ...fold.spared]) closed.add(id);
    open.clear();
  },
  laws: { written: checkTold },
};

function close(fold: RunFold, event: JournalEvent): void {
  const [id, { open, closed }] = [event.id ?? "", systemStepsOf(fold)];
  if (!open.delete(id) && !fold.spared.delete(id)) fold.refuse(event, "the system step is not under way");
  closed.add(id);
}

function end(fold: RunFold): void {
  systemStepsOf(fold).open.clear();
}

function checkTold(_: unknown, { fold, row, consumed, before }: Write): void {
  const untold = consumed.find(({ id }) => before.has(id ?? "") && systemStepsOf(fold).open.has(id ?? ""));
  if (untold === undefined) return;
  throw new LawBroken(
    "mail is read once and in order",
    `the result of system step ${untold.id} is consumed and not told`,
    row.runId,
  );
}

/** The call of a system step of this name that an event is about. */
export function callOf(fold: RunFold, { id }: Pick<JournalEvent, "id">, name: string): SystemCall | null {
  const call = systemStepsOf(fold).asked.get(id ?? "");
  return call?.name === name ? call : null;
}

/** The call that asks for a lock, in the code or before its first line, which an event is about. */
export function lockAskedIn(fold: RunFold, event: Pick<JournalEvent, "id">): SystemCall | null {
  return callOf(fold, event, "acquire_lock") ?? callOf(fold, event, "admit_run");
}

/** What a run owes that is done although its caller does not wait for it any more: system steps of this name. */
export function undone(fold: RunFold, name: string): string | null {
  const { asked, closed } = systemStepsOf(fold);
  const isUndone = [...asked.values()].some((call) => call.name === name && !closed.has(call.id));
  return isUndone ? `its system step ${name} is not done` : null;
}
