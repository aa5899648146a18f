import type { Logger } from "../logger.ts";
import type { World } from "../world/index.ts";
import type { LiveRun } from "./run/live-run.ts";

/** Reading the mailboxes of held runs when the store, or a hint, says that there is something. */

export interface MailReaderOptions {
  readonly world: World;
  readonly logger: Logger;
  /** The run may have something to deliver. */
  readonly onRead: (run: LiveRun) => void;
}

export class MailReader {
  readonly #options: MailReaderOptions;

  constructor(options: MailReaderOptions) {
    this.#options = options;
  }

  /** The store says that this is the run's last message. */
  note(run: LiveRun, mailSeq: number): void {
    run.mail.note(mailSeq);
    if (!run.mail.fetching && !run.mail.complete) void this.#fetch(run);
  }

  /** A hint may be wrong: it is a reason to look, but only the store says that there is mail. */
  look(run: LiveRun): void {
    void this.#fetch(run);
  }

  async #fetch(run: LiveRun): Promise<void> {
    const { world, logger, onRead } = this.#options;
    if (!run.mail.beginFetch()) return;
    try {
      const [mail] = await world.listMail([{ runId: run.runId, after: run.mail.read }]);
      run.receiveMail(mail ?? []);
    } catch (error) {
      logger.warn(
        "messages for a run could not be read: the next commit or renewal tries again. Check that the store can be reached",
        { runId: run.runId, error },
      );
    }
    const again = run.mail.endFetch();
    if (!run.lease.held) return;
    if (again) void this.#fetch(run);
    onRead(run);
  }
}
