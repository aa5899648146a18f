import type { Clock } from "../../clock.ts";
import { EncryptionError, LeaseLostError, WorldError } from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { originOf } from "../../interpreter/kinds/run.ts";
import { SYSTEM_STEP_FAILURE, SYSTEM_STEP_RESULT } from "../../interpreter/kinds/system-step.ts";
import type { Logger } from "../../logger.ts";
import { successorName } from "../../names.ts";
import { PARENT } from "../../parent.ts";
import { decode, encode, encodeError, largestValue, storable } from "../../serialization/index.ts";
import type {
  ClaimedRun,
  JournalEvent,
  LeaseChange,
  Mail,
  Message,
  RunPage,
  RunRecord,
  RunStatus,
  World,
} from "../../world/index.ts";
import { firstEvents, readJournal } from "../claims/loader.ts";
import type { UnreadableRuns } from "../claims/unreadable-runs.ts";
import { systemStepOf } from "../system-steps/index.ts";
import type { StoreCalls } from "../system-steps/store-calls.ts";
import { endingOf, WATCH, type Watcher } from "../system-steps/watch-run.ts";
import { cancelOfChild, debtsOf } from "./debts.ts";

/**
 * What a run owes when it has ended, however it ended: system steps that were not done, cancels of its children, payloads that
 * nobody read, and the answers to those who watch it. It is read from journal and mailbox, done under a claim, and done again
 * by whoever claims the run next, until the commit that gives the lease back: everything has ids of its own, so it is done once.
 */

export interface AfterWorkOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly leaseTtl: number;
  readonly store: StoreCalls;
  readonly unreadable: Pick<UnreadableRuns, "leave">;
}

/** End mail is answered, and children are looked for, in pages of so many. */
const PAGE = 500;

const UNFINISHED: readonly RunStatus[] = ["pending", "running", "diverged"];

export class AfterWork {
  readonly #options: AfterWorkOptions;
  /** Runs whose work is being done. */
  readonly #underWay: Set<Promise<void>> = new Set();

  constructor(options: AfterWorkOptions) {
    this.#options = options;
  }

  /** Whether something is under way. */
  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Does what a claimed run that has ended owes. Resolves when it is done, or could not be. */
  take(claimed: ClaimedRun): Promise<void> {
    const { logger, unreadable } = this.#options;
    const { runId, workflow } = claimed.run;
    const work = this.#do(claimed)
      .catch((error: unknown) => {
        if (EncryptionError.is(error)) {
          unreadable.leave(claimed, error);
          return;
        }
        // Whoever has the run now does it.
        if (LeaseLostError.is(error)) return;
        logger.warn(
          "what a run owes after its end could not be done: a worker does it when its lease is over",
          { runId, workflow, error },
        );
      })
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
    return work;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #do(claimed: ClaimedRun): Promise<void> {
    const { world, leaseTtl } = this.#options;
    const { run: row, mail } = claimed;
    const journal = await this.#journal(claimed);
    await this.#payDebts(row, journal, mail);
    let endDone = row.endDone;
    while (endDone < row.endSeq) {
      const page = await world.listEndMail(row.runId, endDone, PAGE);
      const last = page.at(-1)?.mailSeq;
      if (last === undefined) break;
      await this.#answer(row, page);
      endDone = last;
      // The lease goes on, and what was answered is not answered again.
      if (endDone < row.endSeq) await this.#commit(row, endDone, { type: "hold", ttl: leaseTtl });
    }
    await this.#commit(row, endDone, { type: "park", dueAt: null });
  }

  /** A journal that cannot be read owes nothing that anybody could know of. */
  async #journal({ run: row, events, damage }: ClaimedRun): Promise<readonly JournalEvent[]> {
    const { world, logger } = this.#options;
    const { runId, workflow } = row;
    if (damage === null) {
      const first = events.length > 0 ? { events, damage: null } : await firstEvents(world, row);
      if (first.damage === null) return await readJournal(world, row, first.events);
    }
    logger.error(
      "the journal of a run that has ended cannot be read, so what it owes is not known and not done",
      {
        runId,
        workflow,
        error: damage,
      },
    );
    return [];
  }

  async #payDebts(row: RunRecord, journal: readonly JournalEvent[], mail: readonly Mail[]): Promise<void> {
    const { store } = this.#options;
    const { steps, messages, children } = debtsOf({ run: row, journal, mail });
    await Promise.all(
      steps.map(({ id, name, input }) =>
        systemStepOf(name)
          .execute({ runId: row.runId, id, input, held: () => true, again: () => null }, store)
          // Its caller has ended: there is nobody to tell.
          .catch(unlessRetryable),
      ),
    );
    await Promise.all(messages.map((message) => store.deliver(message)));
    if (!children) return;
    for (const parent of await this.#line(row, journal)) await this.#cancelChildren(row, parent);
  }

  /** The run, and those that it is a retry of: it has their children, which have not ended with them. */
  async #line({ runId }: RunRecord, journal: readonly JournalEvent[]): Promise<readonly string[]> {
    const { getNames, now } = this.#options.store;
    const line = [runId];
    let last = runId;
    for (let origin = originOf(journal); origin !== null; origin = origin.origin) {
      const [held] = await getNames([successorName(origin.runId)], now());
      // It was forked: the children are those of the other run.
      if (held?.runId !== last) break;
      last = origin.runId;
      line.push(last);
    }
    return line;
  }

  /** Those of `parent` that have not ended, a page at a time: it may have started any number. */
  async #cancelChildren(row: RunRecord, parent: string): Promise<void> {
    const { world, store } = this.#options;
    const filter = { attributes: { [PARENT]: parent }, statuses: UNFINISHED, limit: PAGE };
    let cursor: string | null = null;
    do {
      const page: RunPage = await world.listRuns(cursor === null ? filter : { ...filter, cursor });
      const cancels = page.runs.flatMap((child) => cancelOfChild(row, child, store.now()));
      await Promise.all(cancels.map((message) => store.deliver(message)));
      cursor = page.cursor;
    } while (cursor !== null);
  }

  async #answer(row: RunRecord, watches: readonly Mail[]): Promise<void> {
    const { store } = this.#options;
    const answer = this.#answerFor(row);
    const answers = watches
      .filter(({ type }) => type === WATCH)
      .map((watch): Message => {
        const { runId, id } = decode(watch.data) as Watcher;
        const messageId = derivedMessageId("end", row.runId, runId, id);
        return { messageId, to: { runId, id }, at: store.now(), ...answer };
      });
    await Promise.all(answers.map((answer) => store.deliver(answer)));
  }

  /** How the run ended, for those who watch it; where the store takes no value of that size, the error that says so. */
  #answerFor(row: RunRecord): Pick<Message, "type" | "data"> {
    const largest = largestValue(this.#options.world);
    const data = encode(endingOf(row), "end");
    try {
      return { type: SYSTEM_STEP_RESULT, data: storable(data, "result", largest) };
    } catch (error) {
      return { type: SYSTEM_STEP_FAILURE, data: encodeError(error) };
    }
  }

  async #commit(
    { runId, epoch, claimId, seq, mailSeq }: RunRecord,
    endDone: number,
    lease: LeaseChange,
  ): Promise<void> {
    const { world, clock } = this.#options;
    const request = {
      runId,
      epoch,
      claimId: claimId ?? "",
      seq,
      events: [],
      mailDone: mailSeq,
      run: { endDone },
      lease,
    };
    await world.commit([request], clock.now());
  }
}

function unlessRetryable(error: unknown): void {
  if (EncryptionError.is(error) || (WorldError.is(error) && error.retryable)) throw error;
}
