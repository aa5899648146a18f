import type { JournalEvent, Mail, RunRecord } from "../world/index.ts";

/** One run and what belongs to it. */
export interface MemoryRun {
  row: RunRecord;
  /** The journal of this generation: `journal[seq - firstSeq]` has `seq`. */
  readonly journal: JournalEvent[];
  /** `mailbox[mailSeq - 1]` has `mailSeq`; consumed messages stay, because their ids do. */
  readonly mailbox: Mail[];
  /** The end mail, in the same way. */
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
