import { decode, type MemoryRun, type MemoryState } from "@perdure/core/testing";
import { isTerminal, type JournalEvent, type RunRecord } from "@perdure/core/world";
import { snapshotOfState, violationsOf, violationsOfRun } from "@perdure/world-testkit/invariants";
import { LawBroken } from "./failure.ts";
import { RunFold } from "./fold.ts";

/** The laws that hold after every write, read from the store itself. */

/** What the last check saw of a run. */
interface Seen {
  readonly fold: RunFold;
  row: RunRecord;
  last: JournalEvent | undefined;
  /** Virtual time of the last claim, or change of its journal. */
  changedAt: number;
  /** When its lease was taken. */
  heldSince: number;
  /** How many of its messages the journal has consumed. */
  mailDone: number;
}

export interface CheckOptions {
  /** Whether code was deployed that does not follow the journals. */
  readonly mayDiverge: () => boolean;
  /** There are no faults, so what is due is done soon. */
  readonly calm: boolean;
  /** Clocks are set wrong, so a worker knows the store's time only as exactly as its answers are quick. */
  readonly skewed: boolean;
  readonly leaseTtl: number;
}

/** So many lost claims make a run a suspect, which is executed alone or, in the end, not at all. */
export const SUSPECT_AFTER = 3;

/** In a calm cluster, ms from the moment something is due in a run that a worker holds to the journal's word of it. */
const SOON = 300;

export class Checks {
  readonly #state: MemoryState;
  readonly #seen: Map<string, Seen> = new Map();

  readonly #options: CheckOptions;
  /** Until then some process stands still, whose runs cannot be asked for anything. */
  #frozenUntil = 0;

  constructor(state: MemoryState, options: CheckOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** What the journal of a run says, as of the last write. */
  fold(runId: string): RunFold | undefined {
    return this.#seen.get(runId)?.fold;
  }

  /** Checks a run that was just written to. */
  written(runId: string, now: number): void {
    const run = this.#state.runs.get(runId);
    if (run === undefined) return;
    const seen = this.#journal(run, now);
    this.#row(run.row, seen);
    this.#tokens(run, seen.fold);
    this.#alive(run.row, seen.fold, now);
    const { row, journal, mailbox } = run;
    const [violation] = violationsOfRun({ row, journal, mail: mailbox.slice(row.mailDone) }, { now });
    if (violation !== undefined) throw new LawBroken("invariants of a store", violation, runId);
    seen.row = run.row;
  }

  /** A process stands still until this time; several freezes on end are one long one. */
  frozenUntil(time: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, time);
  }

  /** A lease was renewed: the run must have something to do here. */
  renewed(runId: string, now: number, patience: number): void {
    const seen = this.#seen.get(runId);
    const run = this.#state.runs.get(runId);
    if (seen === undefined || run === undefined) return;
    if (now - Math.max(seen.changedAt, this.#frozenUntil) < patience) return;
    if (seen.fold.openSteps.size > 0 || run.row.mailSeq > run.row.mailDone) return;
    if (run.row.status === "pending") return;
    throw new LawBroken(
      "idle runs are parked",
      `nothing has happened for ${now - seen.changedAt} ms and no step is under way, but the lease is renewed`,
      runId,
    );
  }

  /** Checks what runs have in common. */
  store(now: number): void {
    const [violation] = violationsOf(snapshotOfState(this.#state), { now });
    if (violation !== undefined) throw new LawBroken("invariants of a store", violation);
  }

  /** Another run with this key may not exist. */
  started(runId: string): void {
    const row = this.#state.runs.get(runId)?.row;
    if (row === undefined || row.idempotencyKey === null) return;
    for (const { row: other } of this.#state.runs.values()) {
      if (other.runId === runId || other.workflow !== row.workflow) continue;
      if (other.idempotencyKey === row.idempotencyKey) {
        throw new LawBroken("start keys are unique", `run ${other.runId} has the same key`, runId);
      }
    }
  }

  #journal({ row, journal, mailbox }: MemoryRun, now: number): Seen {
    let seen = this.#seen.get(row.runId);
    if (seen === undefined) {
      const fold = new RunFold(row.runId, decode);
      seen = { fold, row, last: undefined, changedAt: now, heldSince: now, mailDone: 0 };
      this.#seen.set(row.runId, seen);
    }
    const { fold } = seen;
    if (journal.length < fold.length || journal[fold.length - 1] !== seen.last) {
      throw new LawBroken("journal order", "the journal was changed behind its end", row.runId);
    }
    if (journal.length > fold.length || row.epoch > seen.row.epoch) seen.changedAt = now;
    if (row.epoch > seen.row.epoch) seen.heldSince = now;
    // Messages that were consumed now, for hooks that are live before this write and after it.
    const consumed = mailbox.slice(seen.mailDone, row.mailDone);
    const before = new Set(fold.hooks.keys());
    const fresh = journal.slice(fold.length);
    const dues = fresh.map(({ type, id }) =>
      type === "wait_completed" ? fold.openWaits.get(id ?? "") : undefined,
    );
    for (const event of fresh) fold.apply(event);
    const heard = consumed.filter(
      ({ type, hookId }) => type !== "wake" && (hookId === null || before.has(hookId)),
    );
    this.#prompt(seen, [...dues, ...heard.map(({ at }) => at)], now);
    checkBegun(row.runId, fresh);
    seen.last = journal.at(-1);
    seen.mailDone = row.mailDone;
    const owed = consumed.flatMap(({ hookId, data }) =>
      hookId !== null && before.has(hookId) && fold.hooks.has(hookId) ? [{ hookId, data }] : [],
    );
    const got = fresh.filter(({ type, id }) => type === "hook_received" && fold.hooks.has(id ?? ""));
    if (!sameMail(owed, got)) {
      throw new LawBroken(
        "mail is read once and in order",
        `messages up to ${row.mailDone} are consumed, ${owed.length} of them for live hooks; the journal got ${got.length}`,
        row.runId,
      );
    }
    return seen;
  }

  /** What a worker had to do since these times, for a run that it held, is not told late. */
  #prompt({ heldSince, row }: Seen, dues: readonly (number | undefined)[], now: number): void {
    if (!this.#options.calm) return;
    for (const due of dues) {
      if (due === undefined || due < heldSince || now - due <= SOON) continue;
      throw new LawBroken(
        "calm clusters are prompt",
        `what was due at ${due} came ${now - due} ms late`,
        row.runId,
      );
    }
  }

  #row(row: RunRecord, { fold, row: before }: Seen): void {
    const broken = (what: string): never => {
      throw new LawBroken("row is the fold of the journal", what, row.runId);
    };
    if (row.status === "diverged") {
      if (this.#options.mayDiverge() || row.lostClaims >= SUSPECT_AFTER) return;
      throw new LawBroken("no divergence", "the run is parked as diverged", row.runId);
    }
    if (row.status !== fold.status) broken(`status is ${row.status}, the journal says ${fold.status}`);
    if (!sameBytes(row.output, fold.output)) broken("output is not that of run_completed");
    if (!sameBytes(row.error, fold.error)) broken("error is not that of the last event");
    if (fold.cancelRequested && fold.status === "pending") {
      broken("a run that never began was cancelled and goes on");
    }
    if (row.epoch < before.epoch || row.mailDone < before.mailDone || row.mailSeq < before.mailSeq) {
      broken("epoch, mailSeq or mailDone went back");
    }
  }

  #tokens({ row, tokens }: MemoryRun, fold: RunFold): void {
    for (const [hookId, token] of fold.hooks) {
      const holder = this.#state.hooks.get(token);
      if (holder?.hookId !== hookId || holder.runId !== row.runId) {
        throw new LawBroken(
          "tokens are unique",
          `the journal says that hook ${hookId} is live, but its token ${token} is ${holder?.hookId ?? "free"}`,
          row.runId,
        );
      }
    }
    if (tokens.size !== fold.hooks.size) {
      throw new LawBroken("tokens are unique", "the run holds tokens of hooks that are gone", row.runId);
    }
  }

  /** DESIGN.md §2: every run that is not terminal has a `dueAt`, or a live hook. */
  #alive(row: RunRecord, fold: RunFold, now: number): void {
    const broken = (what: string): never => {
      throw new LawBroken("liveness of a parked run", what, row.runId);
    };
    if (isTerminal(row.status)) {
      if (row.owner !== null || row.dueAt !== null) broken("the run is over and still due");
      return;
    }
    const { owner, dueAt, mailSeq, mailDone } = row;
    // A poisoned run waits for somebody who has mended it.
    if (row.status === "diverged" && owner === null && row.lostClaims >= SUSPECT_AFTER) return;
    if (dueAt === null && (owner !== null || fold.hooks.size === 0))
      broken("it has neither a due time nor a hook");
    // A diverged run waits for other code, and not for what its journal says.
    if (owner !== null || row.status === "diverged") return;
    if (row.status === "pending" && dueAt === null) broken("it has not begun and is not due");
    if (mailSeq > mailDone && (dueAt === null || dueAt > now)) {
      broken(`message ${mailSeq} waits in the mailbox, but the run is due at ${dueAt}`);
    }
    const wakeAt = fold.wakeAt;
    // A suspect that found no place to be alone comes again a little later.
    const late = row.lostClaims >= SUSPECT_AFTER || this.#options.skewed;
    const patience = late ? 1.5 * this.#options.leaseTtl : 0;
    if (wakeAt !== null && (dueAt === null || dueAt > Math.max(wakeAt, now) + patience)) {
      broken(`its next step or sleep is due at ${wakeAt}, but the run at ${dueAt}`);
    }
  }
}

/** A body begins only once its `step_created` is durable, so the same commit cannot know how it ended. */
function checkBegun(runId: string, fresh: readonly JournalEvent[]): void {
  const created = new Set(fresh.flatMap(({ type, id }) => (type === "step_created" ? [id] : [])));
  for (const { type, id } of fresh) {
    if (type !== "step_retrying" && type !== "step_completed" && type !== "step_failed") continue;
    if (!created.has(id)) continue;
    throw new LawBroken("attempts are counted", `${type} of ${id} in the commit that creates it`, runId);
  }
}

function sameMail(
  owed: readonly { readonly hookId: string; readonly data: Uint8Array | null }[],
  got: readonly JournalEvent[],
): boolean {
  return (
    owed.length === got.length &&
    owed.every(({ hookId, data }, index) => got[index]?.id === hookId && sameBytes(data, got[index].data))
  );
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === b || (a !== null && b !== null && Buffer.compare(a, b) === 0);
}
