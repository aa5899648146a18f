import type { Mail } from "../../world/index.ts";

/** How far a run's mailbox has been read. */
export class MailCursor {
  /** The last message that is known to exist. */
  #known = 0;
  /** The last one that was read from the store. */
  #read = 0;
  /** The last one that the journal has consumed, or will have with the next commit. */
  #done = 0;
  #fetching: "no" | "once" | "again" = "no";

  get known(): number {
    return this.#known;
  }

  get read(): number {
    return this.#read;
  }

  get done(): number {
    return this.#done;
  }

  /** All that is known to exist has been read, and nobody is looking for more. */
  get complete(): boolean {
    return this.#fetching === "no" && this.#known <= this.#read;
  }

  /** A claimed row tells where it is. */
  reset(done: number, known: number): void {
    this.#done = done;
    this.#read = Math.max(this.#read, done);
    this.note(known);
  }

  /** The store says that this is the last message. */
  note(known: number): void {
    this.#known = Math.max(this.#known, known);
  }

  /** Those of these messages that have not been read before. */
  take(mail: readonly Mail[]): readonly Mail[] {
    const fresh = mail.filter(({ mailSeq }) => mailSeq > this.#read);
    this.#read = fresh.at(-1)?.mailSeq ?? this.#read;
    this.note(this.#read);
    return fresh;
  }

  /** The journal consumes all up to this one. */
  consume(mailSeq: number): void {
    this.#done = mailSeq;
  }

  /** Whether to fetch now; if somebody does already, it will do so once more. */
  beginFetch(): boolean {
    const idle = this.#fetching === "no";
    this.#fetching = idle ? "once" : "again";
    return idle;
  }

  /** A fetch is over. Whether to fetch once more. */
  endFetch(): boolean {
    const again = this.#fetching === "again";
    this.#fetching = "no";
    return again;
  }

  get fetching(): boolean {
    return this.#fetching !== "no";
  }
}
