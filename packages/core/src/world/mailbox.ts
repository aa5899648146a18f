/** Messages that others leave for a run until its owner journals them. */

/** A message on its way. */
export interface Message {
  /** Chosen by the sender, globally unique; the same id twice is one message. */
  readonly messageId: string;
  readonly to: Address;
  /** What it says; any string of at most 64 characters. A World stores it as given. */
  readonly type: string;
  readonly at: number;
  readonly data: Uint8Array | null;
  /**
   * End mail, which is read when the run has ended: it wakes nobody, is counted by itself, and a run parks over it. Only for
   * a message to a run. Default false.
   */
  readonly atEnd?: boolean;
}

/** Where a message goes. */
export type Address =
  /** To the run that has the name, and to what in it has it. */
  | { readonly name: string }
  /** To a run; with `id`, to something in it, which may be gone by then: the owner drops it in that case. */
  | { readonly runId: string; readonly id?: string };

/** A message in a run's mailbox. */
export interface Mail {
  /** Position in the run's mailbox: 1, 2, 3 … without gaps. End mail has its own numbers. */
  readonly mailSeq: number;
  readonly messageId: string;
  readonly type: string;
  /** What in the run it is for: the id of the name, or of the address. `null` for a message to the run itself. */
  readonly id: string | null;
  readonly at: number;
  readonly data: Uint8Array | null;
}

/** A message that comes with a new run: in the mailbox from the first moment. */
export interface FirstMail {
  readonly messageId: string;
  /** The id of one of the run's {@link CreateRun.names}: as if it had been sent to that name. */
  readonly id: string;
  readonly type: string;
  readonly at: number;
  readonly data: Uint8Array | null;
}

/** What became of one {@link Message}. */
export type DeliverResult =
  /** It is in the mailbox, put there now or by an earlier sending. */
  | { readonly outcome: "delivered"; readonly runId: string; readonly id: string | null }
  /** No run has the name. */
  | { readonly outcome: "no_such_name" }
  | { readonly outcome: "no_such_run" }
  /** The run is terminal, though it may still have the name. */
  | { readonly outcome: "finished"; readonly runId: string };
