import { decode, type MemoryRun, type MemoryState } from "@perdure/core/testing";
import { isTerminal, type Mail, type RunStatus } from "@perdure/core/world";
import { LawBroken } from "./failure.ts";
import { type ChildCall, OWED, type RunFold } from "./fold.ts";

/** The laws about what a run owes when it has ended: what it asked for, its children, those who watch it. */

/** What a run that has ended just now owes, in words; `null` if it owes nothing. */
export function owes({ row, mailbox, endMail }: MemoryRun, fold: RunFold): string | null {
  const undone = [...fold.asked.values()].find(
    ({ id, name }) => OWED.has(name) && !fold.closedSystem.has(id),
  );
  if (undone !== undefined) return `its system step ${undone.name} is not done`;
  const child = fold.children.find((call) => mustCancel(call, row.status));
  if (child !== undefined) return `its child ${child.runId} is to be cancelled`;
  if (fold.locks.size > 0) return "it has locks";
  if (Object.keys(fold.left).length > 0) return "it has payloads that nobody has taken";
  if (mailbox.length > 0 && row.mailSeq > row.mailDone) return `message ${row.mailSeq} is not read`;
  if (endMail.length > row.endDone) return "runs that watch it are not told";
  return null;
}

function mustCancel({ onParentEnd }: ChildCall, status: RunStatus): boolean {
  return onParentEnd === "cancel" || (onParentEnd === undefined && status === "cancelled");
}

export class AfterEnd {
  readonly #state: MemoryState;
  readonly #foldOf: (runId: string) => RunFold | undefined;

  constructor(state: MemoryState, foldOf: (runId: string) => RunFold | undefined) {
    this.#state = state;
    this.#foldOf = foldOf;
  }

  /** Nobody looks at the run any more: all that it owed must have been done. */
  over(run: MemoryRun, fold: RunFold): void {
    const broken = (what: string): never => {
      throw new LawBroken("work after the end is done", what, run.row.runId);
    };
    this.asked(fold);
    for (const call of fold.children) {
      const child = this.#state.runs.get(call.runId);
      if (child === undefined || !mustCancel(call, run.row.status) || isTerminal(child.row.status)) continue;
      if (!child.mailbox.some(({ type }) => type === "cancel_requested")) {
        broken(`its child ${call.runId} was not cancelled`);
      }
    }
    for (const mail of run.endMail.filter(({ type }) => type === "watch")) {
      const { runId, id } = decode(mail.data) as { readonly runId: string; readonly id: string };
      if (!this.#isAnswered(runId, id)) broken(`run ${runId}, which watches it, was not told`);
    }
  }

  /** What it asked for itself is done, whether it was told or not. */
  asked({ runId, children, asked, own }: RunFold): void {
    const broken = (what: string): never => {
      throw new LawBroken("work after the end is done", what, runId);
    };
    for (const call of children) {
      if (!this.#isStarted(call)) broken(`its child ${call.runId} was not started`);
    }
    for (const { id, name, input } of asked.values()) {
      if (name !== "send_message" || !own.has(id)) continue;
      if (!this.#isSent(id, (input as { to: { runId: string } }).to.runId))
        broken(`its message ${id} was not sent`);
    }
  }

  /** A run's end will be told, or has been told, to what waits for it. */
  isWatched(run: MemoryRun, runId: string, id: string): boolean {
    const asked = run.endMail.some((mail) => isFor(mail, runId, id));
    return asked && (!isOver(run) || this.#isAnswered(runId, id));
  }

  #isStarted({ runId, key }: ChildCall): boolean {
    if (this.#state.runs.has(runId)) return true;
    return key !== undefined && [...this.#state.runs.values()].some(({ row }) => row.idempotencyKey === key);
  }

  #isSent(messageId: string, to: string): boolean {
    const run = this.#state.runs.get(to);
    return run === undefined || isTerminal(run.row.status) || this.#state.messages.has(messageId);
  }

  #isAnswered(runId: string, id: string): boolean {
    const watcher = this.#state.runs.get(runId);
    if (watcher === undefined || isTerminal(watcher.row.status)) return true;
    if (this.#foldOf(runId)?.openSystem.has(id) !== true) return true;
    return watcher.mailbox.some((mail) => mail.id === id);
  }
}

/** A run that has ended, and that nobody looks at any more. */
export function isOver({ row }: Pick<MemoryRun, "row">): boolean {
  return isTerminal(row.status) && row.owner === null && row.dueAt === null;
}

function isFor({ data }: Mail, runId: string, id: string): boolean {
  const watcher = decode(data) as { readonly runId: string; readonly id: string };
  return watcher.runId === runId && watcher.id === id;
}
