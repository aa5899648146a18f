import type { MemoryRun, MemoryState } from "@perdure/core/testing";
import {
  isTerminal,
  type JournalEvent,
  type Mail,
  type Message,
  type RunRecord,
  type StoredRecord,
} from "@perdure/core/world";
import { snapshotOfState, violationsOf, violationsOfRun } from "@perdure/world-testkit/invariants";
import { isActor } from "./actors/loop.ts";
import { LawBroken } from "./failure.ts";
import { RunFold, sameBytes } from "./fold.ts";
import { checkGoesOn } from "./forks.ts";
import { hooksIn } from "./kinds/hook.ts";
import {
  beginAnew,
  eventHas,
  inheritedAll,
  isWaiting,
  lastAsked,
  laws,
  readEvent,
  readMailbox,
} from "./kinds/index.ts";
import type { StoreView } from "./kinds/kind.ts";
import { stepsOf } from "./kinds/step.ts";
import { systemStepsOf } from "./kinds/system-step.ts";
import { waitsOf } from "./kinds/wait.ts";
import { checkAlive, checkWoken, SUSPECT_AFTER } from "./liveness.ts";

/** The laws that hold after every write, read from the store itself: those of all kinds together, and when each kind's own are asked. */

/** What the last check saw of a run. */
interface Seen {
  readonly fold: RunFold;
  row: RunRecord;
  last: JournalEvent | undefined;
  /** The journals of its generations; the last one is that of the row. */
  readonly generations: JournalEvent[][];
  /** Virtual time of the last claim, or change of its journal. */
  changedAt: number;
  /** When its lease was taken. */
  heldSince: number;
  /** How many of its messages the journal has consumed. */
  mailDone: number;
  /** How many it had consumed when it ended; `null` until then. */
  readAtEnd: number | null;
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

/** In a calm cluster, ms from the moment something is due in a run that a worker holds to the journal's word of it. */
const SOON = 300;

/** After so many lengths of a lease without an event, a run that waits is parked. */
const IDLE = 4;
/** So many lengths of a lease a system step may take from one question to the store to the next. */
const ASKING = 10;

export class Checks implements StoreView {
  readonly state: MemoryState;
  readonly #seen: Map<string, Seen> = new Map();
  /** Everything that some run asked for. */
  readonly #ids: Set<string> = new Set();
  readonly #options: CheckOptions;
  /** Until then some process stands still, whose runs cannot be asked for anything. */
  #frozenUntil = 0;

  constructor(state: MemoryState, options: CheckOptions) {
    this.state = state;
    this.#options = options;
  }

  /** What the journal of a run says, as of the last write. */
  readonly fold = (runId: string): RunFold | undefined => this.#seen.get(runId)?.fold;

  /** The journals of a run's generations. */
  generations(runId: string): readonly (readonly JournalEvent[])[] {
    return this.#seen.get(runId)?.generations ?? [];
  }

  /** Up to which of its messages a run that has ended had consumed them before its end. */
  readonly readAtEnd = (runId: string): number =>
    this.#seen.get(runId)?.readAtEnd ?? Number.POSITIVE_INFINITY;

  /** Checks a run that was just written to. */
  written(runId: string, now: number): void {
    const run = this.state.runs.get(runId);
    if (run === undefined) return;
    const { row, journal, mailbox, endMail } = run;
    const mail = mailbox.filter(({ mailSeq }) => mailSeq > row.mailDone);
    const snapshot = { row, journal, mail, endMail: endMail.slice(row.endDone) };
    if (isActor(row)) {
      if (row.owner === null) checkWoken(row, now);
    } else {
      const seen = this.#journal(run, now);
      this.#row(row, seen);
      laws.stored(this, run, seen.fold, now);
      checkAlive(this, row, seen.fold, { ...this.#options, now });
      this.#end(run, seen, now);
      seen.row = row;
    }
    const [violation] = violationsOfRun(snapshot, { now });
    if (violation !== undefined) throw new LawBroken("invariants of a store", violation, runId);
  }

  /** A process stands still until this time; several freezes on end are one long one. */
  frozenUntil(time: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, time);
  }

  /** A lease was renewed: the run must have something to do here. */
  renewed(runId: string, now: number): void {
    const seen = this.#seen.get(runId);
    const run = this.state.runs.get(runId);
    if (seen === undefined || run === undefined) return;
    const { leaseTtl } = this.#options;
    if (now - Math.max(seen.changedAt, this.#frozenUntil) < IDLE * leaseTtl) return;
    const { fold } = seen;
    if (stepsOf(fold).open.size > 0 || fold.spared.size > 0 || run.row.mailSeq > run.row.mailDone) return;
    if (run.row.status === "pending") return;
    for (const call of systemStepsOf(fold).open.values()) {
      // One whose answers are slow may wait by the store's word, and not know it.
      const isAsking = now - lastAsked(this, call) < ASKING * leaseTtl;
      if (isAsking || !isWaiting(this, runId, call)) return;
    }
    throw new LawBroken(
      "idle runs are parked",
      `nothing has happened for ${now - seen.changedAt} ms and no step is under way, but the lease is renewed`,
      runId,
    );
  }

  /** Checks what runs have in common. */
  store(now: number): void {
    const [violation] = violationsOf(snapshotOfState(this.state, now), { now });
    if (violation !== undefined) throw new LawBroken("invariants of a store", violation);
  }

  /** Somebody asked for this run to be created. */
  started(runId: string): void {
    const row = this.state.runs.get(runId)?.row;
    if (row !== undefined) laws.started(this, row);
  }

  /** A message is sent: one that no client sent was asked for by a run, or follows from the end of one. */
  sent(message: Message): void {
    const { to } = message;
    if ("runId" in to) laws.message(this, { ...message, to });
  }

  /** Somebody reads or writes a record. */
  recordAsked(key: string, now: number): void {
    laws.recordAsked(this, key, now);
  }

  /** A record was written. */
  recorded(key: string, before: StoredRecord | null, after: StoredRecord | null): void {
    laws.record(this, key, before, after);
  }

  #journal({ row, journal, mailbox }: MemoryRun, now: number): Seen {
    let seen = this.#seen.get(row.runId);
    if (seen === undefined) {
      const fold = new RunFold(row.runId, journal);
      const times = { changedAt: now, heldSince: now };
      seen = { fold, row, last: undefined, generations: [[]], mailDone: 0, readAtEnd: null, ...times };
      this.#seen.set(row.runId, seen);
    }
    const { fold } = seen;
    if (row.generation > seen.generations.length - 1 || row.firstSeq > seen.row.firstSeq) {
      laws.done(this, fold);
      beginAnew(fold, row.firstSeq);
      seen.generations.push([]);
      seen.last = undefined;
    }
    if (journal.length < fold.length || journal[fold.length - 1] !== seen.last) {
      throw new LawBroken("journal order", "the journal was changed behind its end", row.runId);
    }
    if (journal.length > fold.length || row.epoch > seen.row.epoch) seen.changedAt = now;
    if (row.epoch > seen.row.epoch) seen.heldSince = now;
    // Messages that were consumed now, for hooks that are live before this write and after it.
    const consumed = mailbox.slice(seen.mailDone, row.mailDone);
    const before = new Set([...hooksIn(fold).tokens.keys(), ...systemStepsOf(fold).open.keys()]);
    const fresh = journal.slice(fold.length);
    // Who is being cancelled has nothing to say to another cancel request.
    const wasCancelled = fold.cancelRequested;
    const dues = fresh.map(({ type, id }) =>
      type === "wait_completed" ? waitsOf(fold).open.get(id ?? "") : undefined,
    );
    readMailbox(fold, mailbox);
    const inherits = fold.forkOf !== null && fold.length === 0 && row.generation === 0;
    if (inherits) this.#goesOn(row.runId, fold.forkOf ?? "", journal);
    for (const event of fresh) {
      readEvent(fold, event);
      if (inherits) continue;
      this.#given(fold, event);
      laws.event(this, fold, event);
    }
    seen.generations.at(-1)?.push(...fresh);
    inheritedAll(fold);
    const isHeard = ({ type }: Mail): boolean =>
      type !== "wake" && (type !== "cancel_requested" || !wasCancelled);
    const heard = consumed.filter((mail) => isHeard(mail) && (mail.id === null || before.has(mail.id)));
    // A payload that another run has sent on says when it came to that one.
    const isSentOn = ({ messageId, type }: Mail): boolean =>
      messageId.startsWith("told_") && type.startsWith("hook_received");
    const sent = heard.filter((mail) => !isSentOn(mail)).map(({ at }) => at);
    this.#prompt(seen, [...dues, ...sent], now);
    seen.last = journal.at(-1);
    seen.mailDone = row.mailDone;
    laws.written(this, { fold, row, fresh, inherits, consumed, before });
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
    // Nobody has looked yet at a run that begins where another one was.
    const isNew = fold.forkOf !== null && row.status === "pending" && !isTerminal(fold.status);
    if (row.status !== fold.status && !isNew)
      broken(`status is ${row.status}, the journal says ${fold.status}`);
    if (!sameBytes(row.output, fold.output)) broken("output is not that of run_completed");
    if (!sameBytes(row.error, fold.error)) broken("error is not that of the last event");
    if (fold.cancelRequested && fold.status === "pending") {
      broken("a run that never began was cancelled and goes on");
    }
    const otherwise = laws.row(row, fold);
    if (otherwise !== null) broken(otherwise);
    if (row.epoch < before.epoch || row.mailDone < before.mailDone || row.mailSeq < before.mailSeq) {
      broken("epoch, mailSeq or mailDone went back");
    }
  }

  #goesOn(runId: string, other: string, journal: readonly JournalEvent[]): void {
    checkGoesOn(runId, journal, { runId: other, journal: this.generations(other).at(-1) ?? [] });
  }

  /** No two things that code asks for have one id, in whatever run, but for what is asked for again by a retry. */
  #given(fold: RunFold, { type, id }: JournalEvent): void {
    if (id === null || !eventHas(type, "givesId")) return;
    if (stepsOf(fold).again.has(id) || systemStepsOf(fold).again.has(id)) return;
    if (this.#ids.has(id)) throw new LawBroken("ids are given once", `${type} ${id} again`, fold.runId);
    this.#ids.add(id);
  }

  /** A run that has ended and owes something is due, until all of it is done. */
  #end(run: MemoryRun, seen: Seen, now: number): void {
    const { row } = run;
    if (!isTerminal(row.status)) return;
    seen.readAtEnd ??= row.mailDone;
    if (row.owner !== null || row.dueAt !== null) return;
    if (!isTerminal(seen.row.status)) {
      const debt = owedBy(run, seen.fold);
      if (debt === null) return;
      throw new LawBroken(
        "work after the end is done",
        `the run has ended and is not due, but ${debt}`,
        row.runId,
      );
    }
    laws.done(this, seen.fold);
    laws.over(this, run, seen.fold, now);
  }
}

/** What a run that has ended just now owes, in words; `null` if it owes nothing. */
function owedBy(run: MemoryRun, fold: RunFold): string | null {
  const { row, mailbox } = run;
  const isUnread = mailbox.length > 0 && row.mailSeq > row.mailDone;
  return laws.owes(run, fold) ?? (isUnread ? `message ${row.mailSeq} is not read` : null);
}
