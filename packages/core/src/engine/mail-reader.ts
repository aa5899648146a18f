import { sealedAmong } from "../encryption/sealed-bytes.ts";
import type { Logger } from "../logger.ts";
import type { Mail, World } from "../world/index.ts";
import type { ClaimLoop } from "./claims/claim-loop.ts";
import type { Residents } from "./claims/residents.ts";
import type { UnreadableRuns } from "./claims/unreadable-runs.ts";
import type { LiveRun } from "./run/live-run.ts";

/** Reading the mailboxes of held runs when the store, or a hint, says that there is something. */

export interface MailReaderOptions {
  readonly world: World;
  readonly logger: Logger;
  readonly residents: Pick<Residents, "heldRun">;
  readonly claims: Pick<ClaimLoop, "asked">;
  /** The run may have something to deliver. */
  readonly onRead: (run: LiveRun) => void;
  readonly unreadable: Pick<UnreadableRuns, "leaveHeld">;
}

export class MailReader {
  readonly #options: MailReaderOptions;
  /** Runs that were not here when they got mail, while a claim was under way. */
  readonly #missed: Set<string> = new Set();

  constructor(options: MailReaderOptions) {
    this.#options = options;
  }

  /** The store says that this is the run's last message. */
  note(run: LiveRun, mailSeq: number): void {
    run.mail.note(mailSeq);
    if (!run.mail.fetching && !run.mail.complete) void this.#fetch(run);
  }

  /** A hint may be wrong: it is a reason to look, but only the store says that there is mail. */
  hinted(runId: string): void {
    const { residents, claims } = this.#options;
    const run = residents.heldRun(runId);
    if (run !== undefined) void this.#fetch(run);
    else if (claims.asked > 0) this.#missed.add(runId);
  }

  /** A run is held from now on; its mail may have come after the claim had read it. */
  taken(run: LiveRun): void {
    if (this.#missed.delete(run.runId)) void this.#fetch(run);
  }

  /** A claim begins: what it brings has all mail until now. */
  claimBegins(): void {
    this.#missed.clear();
  }

  async #fetch(run: LiveRun): Promise<void> {
    const { world, logger, onRead } = this.#options;
    if (!run.mail.beginFetch()) return;
    try {
      const [mail] = await world.listMail([{ runId: run.runId, after: run.mail.read }]);
      this.#take(run, mail ?? []);
    } catch (error) {
      logger.warn(
        "messages for a run could not be read: the next commit or renewal tries again. Check that the store can be reached",
        { runId: run.runId, workflow: run.workflow, error },
      );
    }
    const again = run.mail.endFetch();
    if (!run.lease.held) return;
    if (again) void this.#fetch(run);
    onRead(run);
  }

  /** What comes after a message that cannot be read stays where it is, too. */
  #take(run: LiveRun, mail: readonly Mail[]): void {
    const end = mail.findIndex((message) => sealedAmong([message]) !== null);
    run.receiveMail(end < 0 ? mail : mail.slice(0, end));
    const error = sealedAmong(mail);
    if (error !== null) this.#options.unreadable.leaveHeld(run, error);
  }
}
