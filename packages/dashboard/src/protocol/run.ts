import type { ApiError } from "./basics.ts";
import type { HookRow, LockRow } from "./names.ts";
import type { RunRow } from "./run-lists.ts";
import type { ErrorView, Shown, ValueQuery, ValueView } from "./values.ts";

/** One run: its timeline, journal, relatives and streams. */

/** An attempt of a step. */
export interface AttemptView {
  readonly attempt: number;
  /** `completed`, `failed`, `open`, or why another one came: `error`, `timeout`, `owner_lost`, `shutdown`. */
  readonly outcome: string;
  /** When its body began; `null` where the journal does not say. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly error: ErrorView | null;
  /** When the next one was to begin. */
  readonly retryAt: number | null;
}

/** One thing that the run asked for: a bar of the waterfall. */
export interface TimelineEntry {
  /** The event that asked for it. */
  readonly seq: number;
  /** The event that ended it. Their values are asked for by `seq`: see {@link ValueQuery}. */
  readonly endSeq: number | null;
  /** `step`, `wait`, `hook`, `system_step` … */
  readonly kind: string;
  readonly id: string;
  /** As people read it, such as `chargeCard`, a hook's token, or a system step's name. */
  readonly label: string;
  readonly name: string | null;
  readonly createdAt: number | null;
  /** When a step's first attempt began: what is before is queue, what follows is execution. `null` where that is not known, and for other kinds. */
  readonly startedAt: number | null;
  /** `null` while it is open. */
  readonly endedAt: number | null;
  /** When a sleep ends. */
  readonly until: number | null;
  /** `open`, `completed`, `failed`, `received` … */
  readonly outcome: string;
  /** All attempts of a step that are known, the last one included; empty for other kinds. */
  readonly attempts: readonly AttemptView[];
  /** What it was given, in at most 120 characters. */
  readonly input: string | null;
  /** What it gave, in at most 120 characters. */
  readonly output: string | null;
  /** Of one that failed. */
  readonly error: ErrorView | null;
}

/** Where the code and the journal of a diverged run part. */
export interface Divergence {
  /** The event at which they do; `null` where the journal cannot be replayed at all. */
  readonly seq: number | null;
  /** What the journal has, such as `step chargeCard`; `null` where the message has no such line. */
  readonly journal: string | null;
  /** What the code asked for. */
  readonly code: string | null;
  readonly message: string;
}

/** A run in full. Its values are in bounds: see {@link ValueQuery} for the whole. */
export interface RunDetail {
  readonly run: RunRow;
  readonly generation: number;
  /** The first event of this generation's journal. */
  readonly firstSeq: number;
  /** The size of the journal's values. */
  readonly journalBytes: number;
  /** How many claims in a row were lost: workers that died with it. */
  readonly lostClaims: number;
  readonly args: ValueView;
  /** The event with the arguments. */
  readonly argsSeq: number | null;
  readonly result: ValueView | null;
  /** The event with the result, the error or the reason. */
  readonly endSeq: number | null;
  /** What ended it, or why it is parked. */
  readonly error: ErrorView | null;
  /** What the workflow shows of itself with `setState`. */
  readonly state: ValueView | null;
  readonly divergence: Divergence | null;
  readonly timeline: readonly TimelineEntry[];
  /** The journal has more events than the timeline is made of; `null`: it is whole. */
  readonly timelineUntil: number | null;
  /** The first hundred of them; the others are in `api/runs?parent=`. */
  readonly children: readonly RunRow[];
  readonly hooks: readonly HookRow[];
  readonly locks: readonly LockRow[];
  /** Namespaces of its streams; `null` is the run's own. */
  readonly streams: readonly (string | null)[];
  /** The run that this one goes on for: a retry of it, or a fork. */
  readonly origin: string | null;
  /** The run that goes on for this one: its retry. */
  readonly successor: string | null;
}

/** A stretch of a journal, as a query string. */
export interface JournalQuery {
  /** Only events after this `seq`. Default 0. */
  readonly after?: string;
  /** 1 to 1000, default 200. */
  readonly limit?: string;
}

/** An event of a journal. */
export interface EventRow {
  readonly seq: number;
  /** `damaged` where the store cannot say. */
  readonly type: string;
  readonly at: number | null;
  readonly id: string | null;
  readonly name: string | null;
  /** The value in at most 200 characters; `null` without one. */
  readonly text: string | null;
  /** Why it cannot be read. */
  readonly unreadable: string | null;
}

/** A stretch of a journal. */
export interface JournalPage {
  readonly events: readonly EventRow[];
  readonly firstSeq: number;
  /** The last event that there is: there are more if `events` ends before it. */
  readonly lastSeq: number;
}

/** A run among its relatives. */
export interface TreeNode {
  readonly run: RunRow;
  readonly children: readonly TreeNode[];
  /** It has more children than are here. */
  readonly more: boolean;
}

/** A run's relatives: at most 200 runs, five generations deep. */
export interface RunTree {
  /** The run that started it, that one's, and so on; the nearest first. */
  readonly ancestors: readonly RunRow[];
  readonly root: TreeNode;
}

/**
 * Server-sent events of a run: `run`, with its {@link RunRow}, at once and whenever its status, journal, owner or due time changes;
 * `state`, with the `ValueView` of `setState`; `gone` when it was deleted; `trouble` while the store does not answer.
 */
export type LiveRun =
  | { readonly event: "run"; readonly data: RunRow }
  | { readonly event: "state"; readonly data: ValueView }
  | { readonly event: "gone"; readonly data: null }
  | { readonly event: "trouble"; readonly data: ApiError };

/** Which stream, as a query string. */
export interface StreamQuery {
  /** The namespace; left out: the run's own. */
  readonly namespace?: string;
  /** The index of the first chunk; negative: from the end. Default 0. */
  readonly start?: string;
}

/** Server-sent events of a stream: `chunk` for each, `end` with `null` when it ends, `failed` with an {@link ErrorView} when an error ended it. The event's id is the index. */
export interface StreamChunkView {
  readonly index: number;
  readonly value: Shown;
  /** The step that wrote it, and in which attempt; `null`: somebody else. */
  readonly stepId: string | null;
  readonly attempt: number | null;
}
