import { decode, type MemoryRun, type MemoryState } from "@perdure/core/testing";
import { isTerminal, type JournalEvent, type Mail, type RunRecord } from "@perdure/core/world";
import { snapshotOfState, violationsOf, violationsOfRun } from "@perdure/world-testkit/invariants";
import { isActor } from "./actors/loop.ts";
import { AfterEnd, owes } from "./after-end.ts";
import { REPLACED } from "./config.ts";
import { LawBroken } from "./failure.ts";
import { childOf, RunFold, type SystemCall } from "./fold.ts";
import { goesOnFor } from "./line.ts";
import { Locks } from "./locks.ts";

/** The laws that hold after every write, read from the store itself. */

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

/** So many lost claims make a run a suspect, which is executed alone or, in the end, not at all. */
export const SUSPECT_AFTER = 3;

/** Events by which code is given a new id. */
const GIVES_ID: ReadonlySet<string> = new Set([
  "step_created",
  "wait_created",
  "hook_created",
  "hook_conflict",
  "system_step_created",
  "state_set",
  "attributes_set",
]);

/** Events that a run which goes on for another may not have. */
const NOT_KEPT: ReadonlySet<string> = new Set(["step_retrying", "hook_received", "payload_kept"]);

/** What a run that goes on for another is told of what that one has after the place from which this one goes on. */
const OF_THE_REST: ReadonlySet<string> = new Set([
  "step_again",
  "step_recorded",
  "system_step_again",
  "system_step_recorded",
  "wait_recorded",
  "hook_again",
  "run_again",
]);

/** In a calm cluster, ms from the moment something is due in a run that a worker holds to the journal's word of it. */
const SOON = 300;

export class Checks {
  readonly #state: MemoryState;
  readonly #seen: Map<string, Seen> = new Map();
  readonly #afterEnd: AfterEnd;
  readonly locks: Locks;
  /** Everything that some run asked for. */
  readonly #ids: Set<string> = new Set();
  readonly #options: CheckOptions;
  /** Until then some process stands still, whose runs cannot be asked for anything. */
  #frozenUntil = 0;

  constructor(state: MemoryState, options: CheckOptions) {
    this.#state = state;
    this.#options = options;
    this.#afterEnd = new AfterEnd(state, (runId) => this.fold(runId));
    this.locks = new Locks(state, (runId) => this.fold(runId));
  }

  /** What the journal of a run says, as of the last write. */
  fold(runId: string): RunFold | undefined {
    return this.#seen.get(runId)?.fold;
  }

  /** The journals of a run's generations. */
  generations(runId: string): readonly (readonly JournalEvent[])[] {
    return this.#seen.get(runId)?.generations ?? [];
  }

  /** Up to which of its messages a run that has ended had consumed them before its end. */
  readAtEnd(runId: string): number {
    return this.#seen.get(runId)?.readAtEnd ?? Number.POSITIVE_INFINITY;
  }

  /** Checks a run that was just written to. */
  written(runId: string, now: number): void {
    const run = this.#state.runs.get(runId);
    if (run === undefined) return;
    const { row, journal, mailbox, endMail } = run;
    const mail = mailbox.filter(({ mailSeq }) => mailSeq > row.mailDone);
    const snapshot = { row, journal, mail, endMail: endMail.slice(row.endDone) };
    if (isActor(row)) {
      if (row.owner === null) checkWoken(row, now);
    } else {
      const seen = this.#journal(run, now);
      this.#row(row, seen);
      this.#tokens(run, seen.fold, now);
      this.#alive(row, seen.fold, now);
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
  renewed(runId: string, now: number, patience: number): void {
    const seen = this.#seen.get(runId);
    const run = this.#state.runs.get(runId);
    if (seen === undefined || run === undefined) return;
    if (now - Math.max(seen.changedAt, this.#frozenUntil) < patience) return;
    if (seen.fold.openSteps.size > 0 || seen.fold.spared.size > 0 || run.row.mailSeq > run.row.mailDone)
      return;
    if (run.row.status === "pending") return;
    for (const call of seen.fold.openSystem.values()) if (!this.#isWaiting(runId, call, seen.fold)) return;
    throw new LawBroken(
      "idle runs are parked",
      `nothing has happened for ${now - seen.changedAt} ms and no step is under way, but the lease is renewed`,
      runId,
    );
  }

  /** Checks what runs have in common. */
  store(now: number): void {
    const [violation] = violationsOf(snapshotOfState(this.#state, now), { now });
    if (violation !== undefined) throw new LawBroken("invariants of a store", violation);
  }

  /** Another run with this key may not exist, and a child was asked for. */
  started(runId: string): void {
    const { row, journal } = this.#state.runs.get(runId) ?? {};
    // One that goes on for a child is made by a retry.
    if (row === undefined || journal?.[1]?.type === "run_forked") return;
    const { $parent: parent } = row.attributes;
    if (parent !== undefined && !this.fold(parent)?.children.some((child) => child.runId === runId)) {
      throw new LawBroken("effects were asked for", `run ${parent} did not ask for this child`, runId);
    }
    if (row.idempotencyKey === null) return;
    for (const { row: other } of this.#state.runs.values()) {
      if (other.runId === runId || other.workflow !== row.workflow) continue;
      // The key of a run that has failed passes to the one that goes on for it; its own start may be asked for again after that.
      if (isTerminal(other.status) && this.#goesOnFor(runId, other.runId)) continue;
      if (isTerminal(row.status) && this.#goesOnFor(other.runId, runId)) continue;
      // One that takes the other's place comes when that has ended.
      if (row.idempotencyKey === REPLACED && (isTerminal(other.status) || isTerminal(row.status))) continue;
      if (other.idempotencyKey === row.idempotencyKey) {
        throw new LawBroken("start keys are unique", `run ${other.runId} has the same key`, runId);
      }
    }
  }

  /** It goes on for the other one, or for one that does. */
  #goesOnFor(runId: string, other: string): boolean {
    const before = this.fold(runId)?.forkOf ?? null;
    return before !== null && (before === other || this.#goesOnFor(before, other));
  }

  #journal({ row, journal, mailbox }: MemoryRun, now: number): Seen {
    let seen = this.#seen.get(row.runId);
    if (seen === undefined) {
      const fold = new RunFold(row.runId, decode, journal);
      const times = { changedAt: now, heldSince: now };
      seen = { fold, row, last: undefined, generations: [[]], mailDone: 0, readAtEnd: null, ...times };
      this.#seen.set(row.runId, seen);
    }
    const { fold } = seen;
    if (row.generation > seen.generations.length - 1 || row.firstSeq > seen.row.firstSeq) {
      this.#afterEnd.asked(fold);
      fold.beginAnew(row.firstSeq);
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
    const before = new Set([...fold.tokens.keys(), ...fold.openSystem.keys()]);
    const fresh = journal.slice(fold.length);
    // Who is being cancelled has nothing to say to another cancel request.
    const wasCancelled = fold.cancelRequested;
    const dues = fresh.map(({ type, id }) =>
      type === "wait_completed" ? fold.openWaits.get(id ?? "") : undefined,
    );
    for (const { type, id } of mailbox) if (type === "stop_sleep" && id !== null) fold.stopped.add(id);
    const inherits = fold.forkOf !== null && fold.length === 0 && row.generation === 0;
    if (inherits) this.#goesOn(row.runId, fold.forkOf ?? "", journal);
    for (const event of fresh) {
      fold.apply(event);
      if (inherits) continue;
      this.#given(row.runId, event);
      this.locks.heard(row.runId, fold, event);
    }
    seen.generations.at(-1)?.push(...fresh);
    fold.inheritedAll();
    const isHeard = ({ type }: Mail): boolean =>
      type !== "wake" && (type !== "cancel_requested" || !wasCancelled);
    const heard = consumed.filter((mail) => isHeard(mail) && (mail.id === null || before.has(mail.id)));
    // A payload that another run has sent on says when it came to that one.
    const isSentOn = ({ messageId, type }: Mail): boolean =>
      messageId.startsWith("told_") && type.startsWith("hook_received");
    const sent = heard.filter((mail) => !isSentOn(mail)).map(({ at }) => at);
    this.#prompt(seen, [...dues, ...sent], now);
    if (!inherits) {
      checkBegun(row.runId, fresh, fold.recorded);
      for (const event of fresh) this.#result(row.runId, fold, event);
    }
    seen.last = journal.at(-1);
    seen.mailDone = row.mailDone;
    // What comes after the end is not told any more.
    const hears = fold.tokens.size > 0 && (fresh.length > 0 || !fold.terminal);
    const owed = hears ? consumed.filter(({ id }) => before.has(id ?? "") && fold.tokens.has(id ?? "")) : [];
    const got = fresh.filter(({ type, id }) => type === "hook_received" && before.has(id ?? ""));
    if (!sameMail(owed, got)) {
      throw new LawBroken(
        "mail is read once and in order",
        `messages up to ${row.mailDone} are consumed, ${owed.length} of them for what is live; the journal got ${got.length}`,
        row.runId,
      );
    }
    const untold = consumed.find(({ id }) => before.has(id ?? "") && fold.openSystem.has(id ?? ""));
    if (untold !== undefined) {
      throw new LawBroken(
        "mail is read once and in order",
        `the result of system step ${untold.id} is consumed and not told`,
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
    // Nobody has looked yet at a run that begins where another one was.
    const isNew = fold.forkOf !== null && row.status === "pending" && !isTerminal(fold.status);
    if (row.status !== fold.status && !isNew)
      broken(`status is ${row.status}, the journal says ${fold.status}`);
    if (!sameBytes(row.output, fold.output)) broken("output is not that of run_completed");
    if (!sameBytes(row.error, fold.error)) broken("error is not that of the last event");
    if (fold.cancelRequested && fold.status === "pending") {
      broken("a run that never began was cancelled and goes on");
    }
    if (fold.state !== undefined && !sameBytes(row.state, fold.state))
      broken("state is not what was set last");
    if (!sameAttributes(row.attributes, fold.attributes)) {
      broken(
        `attributes are ${JSON.stringify(row.attributes)}, the journal says ${JSON.stringify(fold.attributes)}`,
      );
    }
    if (row.epoch < before.epoch || row.mailDone < before.mailDone || row.mailSeq < before.mailSeq) {
      broken("epoch, mailSeq or mailDone went back");
    }
  }

  /** A run that goes on for another begins with what that one's journal has, but for attempts that are made anew and payloads that it left. */
  #goesOn(runId: string, before: string, journal: readonly JournalEvent[]): void {
    const theirs =
      this.generations(before)
        .at(-1)
        ?.slice(1)
        .filter(({ type }) => type !== "run_forked" && !OF_THE_REST.has(type)) ?? [];
    let place = 0;
    for (const { type, id } of journal.slice(2)) {
      if (OF_THE_REST.has(type)) continue;
      for (let other = theirs[place]; other !== undefined; other = theirs[++place]) {
        if (!NOT_KEPT.has(other.type) || (other.type === type && other.id === id)) break;
      }
      // Only the run itself has lost the locks that the other one had.
      if (type === "locks_lost" && theirs[place]?.type !== type) continue;
      const event = theirs[place++];
      if (event?.type === type && event.id === id) continue;
      const what = `its journal has ${type} ${id} where that of ${before} has ${event?.type} ${event?.id}`;
      throw new LawBroken("one run goes on for another", what, runId);
    }
  }

  /** No two things that code asks for have one id, in whatever run, but for a step that is asked for again by a retry. */
  #given(runId: string, { type, id }: JournalEvent): void {
    if (id === null || !GIVES_ID.has(type)) return;
    if (this.fold(runId)?.again.has(id) === true) return;
    if (this.#ids.has(id)) throw new LawBroken("ids are given once", `${type} ${id} again`, runId);
    this.#ids.add(id);
  }

  /** The result of a system step is that of what it did. */
  #result(runId: string, fold: RunFold, { type, id, data }: JournalEvent): void {
    const call = fold.asked.get(id ?? "");
    if (type !== "system_step_completed" || call === undefined) return;
    const value = decode(data);
    if (call.name === "start_run" || call.name === "run_once") {
      const { runId: asked, key } = childOf(call);
      const row = this.#state.runs.get(String(value))?.row;
      if (key === undefined ? row?.runId === asked : row?.idempotencyKey === key) return;
      throw new LawBroken(
        "children are started once",
        `${asked} was asked for, ${String(value)} given`,
        runId,
      );
    }
    if (call.name !== "watch_run") return;
    const told = value as RunRecord;
    const row = this.#state.runs.get(told.runId)?.row;
    const isWatched = goesOnFor(this.#state, told.runId, String(call.input));
    const right = isWatched && row !== undefined && isTerminal(row.status) && told.status === row.status;
    if (right && sameBytes(told.output, row.output) && sameBytes(told.error, row.error)) return;
    throw new LawBroken(
      "results are told once and right",
      `it was told that run ${String(call.input)} is ${told.status}, which is ${row?.status}`,
      runId,
    );
  }

  #tokens({ row, names }: MemoryRun, fold: RunFold, now: number): void {
    const held = (name: string) => this.#state.names.get(name, now);
    for (const [hookId, token] of fold.hooks) {
      const holder = held(`hook:${token}`);
      if (holder?.id !== hookId || holder.runId !== row.runId) {
        throw new LawBroken(
          "tokens are unique",
          `the journal says that hook ${hookId} is live, but its token ${token} is ${holder?.id ?? "free"}`,
          row.runId,
        );
      }
    }
    const hooks = [...names].filter(
      ([, name]) => name.startsWith("hook:") && held(name)?.runId === row.runId,
    );
    if (hooks.length !== fold.hooks.size) {
      throw new LawBroken("tokens are unique", "the run holds tokens of hooks that are gone", row.runId);
    }
  }

  /** A run that has ended and owes something is due, until all of it is done. */
  #end(run: MemoryRun, seen: Seen, now: number): void {
    const { row } = run;
    if (!isTerminal(row.status)) return;
    seen.readAtEnd ??= row.mailDone;
    if (row.owner !== null || row.dueAt !== null) return;
    if (!isTerminal(seen.row.status)) {
      const debt = owes(run, seen.fold);
      if (debt === null) return;
      throw new LawBroken(
        "work after the end is done",
        `the run has ended and is not due, but ${debt}`,
        row.runId,
      );
    }
    this.#afterEnd.over(run, seen.fold);
    this.locks.over(run, now);
  }

  /** The watched run will answer, or has. */
  #isWaiting(runId: string, { id, name, input }: SystemCall, fold: RunFold): boolean {
    if (name === "acquire_lock") {
      // What a run that goes on for another asks for comes after what that one had.
      const before = fold.locksLost ? fold.openSystem.keys() : [id];
      return [...before].some((each) => this.locks.isInLine(runId, each));
    }
    if (name !== "watch_run") return false;
    const line = [...this.#state.runs.values()].filter(({ row }) =>
      goesOnFor(this.#state, row.runId, String(input)),
    );
    return line.some((watched) => this.#afterEnd.isWatched(watched, runId, id));
  }

  /** DESIGN.md §2: every run that is not terminal has a `dueAt`, or a live hook. */
  #alive(row: RunRecord, fold: RunFold, now: number): void {
    const broken = (what: string): never => {
      throw new LawBroken("liveness of a parked run", what, row.runId);
    };
    // A suspect that found no place to be alone comes again a little later.
    const late = row.lostClaims >= SUSPECT_AFTER || this.#options.skewed;
    const patience = late ? 1.5 * this.#options.leaseTtl : 0;
    if (isTerminal(row.status)) {
      // What it owes is found by #end; here, that somebody looks.
      const isLate = row.owner === null && row.dueAt !== null && row.dueAt > now + patience;
      if (isLate) broken(`the run has ended and is due only at ${row.dueAt}`);
      return;
    }
    const { owner, dueAt } = row;
    // A poisoned run waits for somebody who has mended it.
    if (row.status === "diverged" && owner === null && row.lostClaims >= SUSPECT_AFTER) return;
    if (
      dueAt === null &&
      (owner !== null || (fold.hooks.size === 0 && fold.openSystem.size + fold.spared.size === 0))
    )
      broken("it has neither a due time, nor a hook, nor a run that it waits for");
    // A diverged run waits for other code, and not for what its journal says.
    if (owner !== null || row.status === "diverged") return;
    if (row.status === "pending" && dueAt === null) broken("it has not begun and is not due");
    checkWoken(row, now);
    const isDue = dueAt !== null && dueAt <= now + patience;
    for (const call of isDue ? [] : fold.openSystem.values()) {
      if (!this.#isWaiting(row.runId, call, fold))
        broken(`nobody will do its system step ${call.name} ${call.id}`);
    }
    const wakeAt = fold.wakeAt;
    // Who starts a run, or has one gone on with, may have a wrong clock.
    if (
      wakeAt !== null &&
      row.status !== "pending" &&
      (dueAt === null || dueAt > Math.max(wakeAt, now) + patience)
    ) {
      broken(`its next step or sleep is due at ${wakeAt}, but the run at ${dueAt}`);
    }
  }
}

/** A message wakes a run that nobody holds. */
function checkWoken({ runId, mailSeq, mailDone, dueAt }: RunRecord, now: number): void {
  if (mailSeq === mailDone || (dueAt !== null && dueAt <= now)) return;
  throw new LawBroken(
    "liveness of a parked run",
    `message ${mailSeq} waits in the mailbox, but the run is due at ${dueAt}`,
    runId,
  );
}

/**
 * A body begins only once its `step_created` is durable, so the same commit cannot know how it ended: unless no body is called, since the
 * step is one of those that the run has from another, `recorded`.
 */
function checkBegun(runId: string, fresh: readonly JournalEvent[], recorded: ReadonlySet<string>): void {
  const begins = ({ type, id }: JournalEvent): boolean => type === "step_created" && !recorded.has(id ?? "");
  const created = new Set(fresh.filter(begins).map(({ id }) => id));
  for (const { type, id } of fresh) {
    if (type !== "step_retrying" && type !== "step_completed" && type !== "step_failed") continue;
    if (!created.has(id)) continue;
    throw new LawBroken("attempts are counted", `${type} of ${id} in the commit that creates it`, runId);
  }
}

function sameMail(owed: readonly Mail[], got: readonly JournalEvent[]): boolean {
  return (
    owed.length === got.length &&
    owed.every(({ id, data }, index) => got[index]?.id === id && sameBytes(data, got[index].data))
  );
}

function sameAttributes(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === b || (a !== null && b !== null && Buffer.compare(a, b) === 0);
}
