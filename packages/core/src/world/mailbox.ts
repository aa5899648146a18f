/** Messages that others leave for a run until its owner journals them. */

/** `hook_received` goes to a hook; `cancel_requested` and `wake` go to a run. A World stores the type as given. */
export type MessageType = "hook_received" | "cancel_requested" | "wake";

/** A message on its way. */
export interface Message {
  /** Chosen by the sender, globally unique; the same id twice is one message. */
  readonly messageId: string;
  readonly to: { readonly runId: string } | { readonly token: string };
  readonly type: MessageType;
  readonly at: number;
  readonly data: Uint8Array | null;
}

/** A message in a run's mailbox. */
export interface Mail {
  /** Position in the run's mailbox: 1, 2, 3 … without gaps. */
  readonly mailSeq: number;
  readonly messageId: string;
  readonly type: MessageType;
  /** The hook that owned the token when the message was delivered; `null` for a message to the run. */
  readonly hookId: string | null;
  readonly at: number;
  readonly data: Uint8Array | null;
}

/** What became of one {@link Message}. */
export type DeliverResult =
  /** It is in the mailbox, put there now or by an earlier sending. */
  | { readonly outcome: "delivered"; readonly runId: string; readonly hookId: string | null }
  /** No live hook has the token. */
  | { readonly outcome: "no_such_hook" }
  | { readonly outcome: "no_such_run" }
  /** The run is terminal. */
  | { readonly outcome: "finished"; readonly runId: string };
