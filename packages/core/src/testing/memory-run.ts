import type { JournalEvent, Mail, RunRecord, StartKey } from "../world/index.ts";

/** One run and what belongs to it. */
export interface MemoryRun {
  row: RunRecord;
  /** `journal[seq - 1]` has `seq`. */
  readonly journal: JournalEvent[];
  /** `mailbox[mailSeq - 1]` has `mailSeq`; consumed messages stay, because their ids do. */
  readonly mailbox: Mail[];
  readonly startKey: StartKey | null;
  /** Tokens of the run's live hooks, by hook id. */
  readonly tokens: Map<string, string>;
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
