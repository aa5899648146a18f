import type { JournalEvent, Mail, RunRecord } from "../world/index.ts";

/** One run and what belongs to it. */
export interface MemoryRun {
  row: RunRecord;
  /** The journal of this generation: `journal[seq - firstSeq]` has `seq`. */
  readonly journal: JournalEvent[];
  /** The last message is that of the row's `mailSeq`. Consumed messages stay, because their ids do, until a restart drops them. */
  readonly mailbox: Mail[];
  /** The end mail: `endMail[mailSeq - 1]` has `mailSeq`. */
  readonly endMail: Mail[];
  /** The names that the run has, by id. */
  readonly names: Map<string, string>;
  /** Streams by name. */
  readonly streams: Map<string, MemoryStream>;
}

/** One stream of a run. */
export interface MemoryStream {
  /** `chunks[index]` has `index`. */
  readonly chunks: { readonly writer: string; readonly data: Uint8Array }[];
  /** How many chunks of each writer are in. */
  readonly writers: Map<string, number>;
  closed: boolean;
}

/** The messages after a number. */
export function mailAfter({ row, mailbox }: MemoryRun, after: number): readonly Mail[] {
  return mailbox.slice(Math.max(0, mailbox.length - row.mailSeq + after));
}
