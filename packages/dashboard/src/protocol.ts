/**
 * The JSON API between the page and the server: what is asked under which path, and what is answered. All paths are below the
 * dashboard's own, such as `/admin/perdure/api/runs`; `docs/dashboard.md` has them as a table.
 *
 * - Times are milliseconds since the epoch; lengths of time are milliseconds. Ids are strings.
 * - What is not there is `null`, never missing. Fields may be added: a reader passes over those that it does not know.
 * - An answer other than 2xx has an {@link ApiError} as its body.
 * - Whatever changes something is a POST with `content-type: application/json`, from the dashboard's own origin, and 403 where the
 *   dashboard is `readOnly`.
 */

/** In any of these a run can be. The first three have not ended. */
export type RunStatus = "pending" | "running" | "diverged" | "completed" | "failed" | "cancelled";

/** The paths, below the dashboard's own. `:id` is a run's id, in URI encoding. */
export const PATHS = {
  /** GET {@link Info} */
  info: "api/info",
  /** GET {@link RunPage}, with a {@link RunQuery}; POST {@link StartRequest}, answered by {@link Started} */
  runs: "api/runs",
  /** GET {@link Counts}, with the {@link RunFilterQuery} (without `status`) */
  counts: "api/counts",
  /** GET, server-sent events {@link LiveRuns}, with a {@link RunQuery} without `cursor` */
  liveRuns: "api/live/runs",
  /** GET {@link SearchResult}, with `?q=` */
  search: "api/search",
  /** GET {@link RunDetail}. With `?since=` a `seq`, its timeline has only what is open or has changed after that event. */
  run: "api/runs/:id",
  /** GET {@link JournalPage}, with a {@link JournalQuery} */
  journal: "api/runs/:id/journal",
  /** GET {@link ValueView}, with a {@link ValueQuery}: one value of a run, as much of it as is asked for */
  value: "api/runs/:id/value",
  /** GET {@link RunTree}: the run, the run that started it, and its children */
  tree: "api/runs/:id/tree",
  /** GET, server-sent events {@link LiveRun} */
  liveRun: "api/live/runs/:id",
  /** GET, server-sent events {@link StreamChunkView}, with a {@link StreamQuery} */
  stream: "api/runs/:id/stream",
  /** POST an {@link ActRequest}, answered by {@link ActResult}. `:act` is one of {@link RunAct}. */
  act: "api/runs/:id/:act",
  /** POST {@link BulkRequest}, answered by {@link BulkResult} */
  bulk: "api/bulk",
  /** GET {@link HookPage}, with a {@link NamesQuery} */
  hooks: "api/hooks",
  /** POST {@link DeliverRequest}, answered by {@link Delivered} */
  deliver: "api/hooks/deliver",
  /** GET {@link KeyPage}, with a {@link NamesQuery} */
  keys: "api/keys",
  /** GET {@link LockList} */
  locks: "api/locks",
  /** GET {@link WorkerList} */
  workers: "api/workers",
  /** GET {@link Charts}, with a {@link ChartQuery} */
  charts: "api/charts",
} as const;

/** What went wrong. */
export interface ApiError {
  readonly error: {
    /** Such as `not_found`, `read_only`, `bad_request`, `forbidden`, `refused` (the act cannot be done), `store` (the store does not answer). */
    readonly code: string;
    /** For people: what happened and what to do. */
    readonly message: string;
  };
}

/** The dashboard and its store. */
export interface Info {
  /** The World's name, such as `postgres`. */
  readonly world: string;
  /** Settings of the store that a user should see, such as the journal mode. No passwords. */
  readonly store: Readonly<Record<string, string | number>>;
  /** No act is allowed. */
  readonly readOnly: boolean;
  /** The store tells of changes; else they are looked for every second. */
  readonly notifications: boolean;
  /** The World has streams. */
  readonly streams: boolean;
  /** The server's time, for ages. */
  readonly now: number;
  /** The version of `@perdure/dashboard`. */
  readonly version: string;
  /** Ids of workflows that this process or a live worker has, or that the newest runs have; sorted. */
  readonly workflows: readonly string[];
}

/** Which runs, as a query string. Every field may be left out; all that are there must fit. */
export interface RunFilterQuery {
  /** May be repeated: any of them. */
  readonly status?: RunStatus;
  /** The workflow's id. */
  readonly workflow?: string;
  /** `name=value`. May be repeated: all of them. */
  readonly attribute?: string;
  /** The id of the run that started them. */
  readonly parent?: string;
  /** Created at this time or later: ms since the epoch, or an ISO date. */
  readonly from?: string;
  /** Created before this time: ms since the epoch, or an ISO date. */
  readonly before?: string;
}

/** A page of runs, as a query string. */
export interface RunQuery extends RunFilterQuery {
  /** Default `desc`: the newest first. */
  readonly order?: "asc" | "desc";
  /** 1 to 500, default 50. */
  readonly limit?: string;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
}

/** A run in a list. */
export interface RunRow {
  readonly runId: string;
  readonly workflow: string;
  /** The last part of the workflow's id, such as `charge` of `workflow//./src/billing//charge`. */
  readonly name: string;
  readonly status: RunStatus;
  /** Those that the user gave; perdure's own are other fields. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string | null;
  /** The run that started it. */
  readonly parent: string | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  /** When a worker looks at it next: the end of a sleep, the next attempt, the end of the lease; `null`: it waits for a message, or has ended. */
  readonly dueAt: number | null;
  /** The worker that executes it. */
  readonly owner: string | null;
  /** So many events the run has had. It grows with each change of its journal. */
  readonly seq: number;
}

/** One page of runs. */
export interface RunPage {
  readonly runs: readonly RunRow[];
  /** Runs of this page that the store has and cannot read. */
  readonly damaged: readonly { readonly runId: string; readonly message: string }[];
  /** For the next page; `null` after the last. */
  readonly cursor: string | null;
}

/** How many runs fit, by status. */
export interface Counts {
  readonly counts: Readonly<Record<RunStatus, number>>;
  /** When they were counted. Counting what takes long is done less often. */
  readonly at: number;
}

/**
 * Server-sent events of a list: `page`, with the first page as a {@link RunPage}, at once and whenever it changes; `counts`, with
 * {@link Counts}, in the same way; `trouble`, with an {@link ApiError}, while the store does not answer. A comment every 15 s keeps the
 * connection open. A client that lost it connects again, and gets all of it anew.
 */
export type LiveRuns =
  | { readonly event: "page"; readonly data: RunPage }
  | { readonly event: "counts"; readonly data: Counts }
  | { readonly event: "trouble"; readonly data: ApiError };

/** What a search found: a run's id or the beginning of one, a start key, a hook's token, `name=value` of an attribute, a workflow. */
export interface SearchResult {
  readonly runs: readonly RunRow[];
  /** How each of `runs` was found, in their order. */
  readonly by: readonly ("id" | "key" | "token" | "attribute" | "workflow")[];
}

/**
 * A value for a viewer. JSON's own primitives are themselves; everything else is a node that says what it is. What exceeds the bounds
 * of the request is left out, and the node says how much there is.
 */
export type Shown =
  | null
  | boolean
  | number
  | string
  /** A text of which only the beginning is here. */
  | { readonly type: "text"; readonly text: string; readonly length: number }
  | { readonly type: "array"; readonly items: readonly Shown[]; readonly length: number }
  /** `class` is the id of a registered class, or the name of an object's class; `null` for a plain object. */
  | {
      readonly type: "object";
      readonly class: string | null;
      readonly entries: readonly (readonly [key: string, value: Shown])[];
      readonly length: number;
    }
  | {
      readonly type: "map";
      readonly entries: readonly (readonly [key: Shown, value: Shown])[];
      readonly length: number;
    }
  | { readonly type: "set"; readonly items: readonly Shown[]; readonly length: number }
  /** `at`: ms since the epoch; `null` for an invalid date. */
  | { readonly type: "date"; readonly at: number | null }
  /** Bytes of a Buffer, an ArrayBuffer or a typed array (its `class`), in base64; `length` in bytes. */
  | { readonly type: "bytes"; readonly class: string; readonly base64: string; readonly length: number }
  | { readonly type: "error"; readonly error: ErrorView }
  /** What JSON has no form for, as people read it: `undefined`, `NaN`, `-0`, `12n`, `/a+/g`, a URL, a function, a stream. */
  | { readonly type: "other"; readonly class: string; readonly text: string }
  /** Met before: it contains itself. */
  | { readonly type: "repeated" }
  /** Left out: deeper than the viewer goes, or beyond the size. `path` asks for it: see {@link ValueQuery}. */
  | { readonly type: "cut"; readonly class: string; readonly length: number | null };

/** One line of a stack. */
export interface Frame {
  /** As it stands in the stack, such as `at charge (file:///app/src/billing.ts:12:9)`. */
  readonly text: string;
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** The user's own code: not Node's, not perdure's, not of another package in `node_modules`. */
  readonly own: boolean;
}

/** An error with its source positions. */
export interface ErrorView {
  readonly name: string;
  readonly message: string;
  readonly frames: readonly Frame[];
  /** What else it carries, such as `code` or `status`. */
  readonly properties: readonly (readonly [key: string, value: Shown])[];
  readonly cause: Shown | null;
  /** Of an `AggregateError`. */
  readonly errors: readonly Shown[];
}

/** A value of a run, as much of it as the request asked for. */
export interface ValueView {
  readonly value: Shown;
  /** The size as it is stored; `null` where there is no value (`undefined`). */
  readonly bytes: number | null;
  /** Something was left out. */
  readonly cut: boolean;
  /** Why it cannot be read as it was written, such as a class that this process does not have; `value` has as much as can be read. */
  readonly unreadable: string | null;
}

/** Which value of a run, as a query string. */
export interface ValueQuery {
  /** `event` (with `seq`), `state`, or `error` of a diverged run. */
  readonly of: "event" | "state" | "error";
  /** The event's place in the journal. */
  readonly seq?: string;
  /** The part to begin at: a JSON array of keys and indexes, such as `["items",3]`. Entries of maps and sets go by their index. */
  readonly path?: string;
  /** The first item of that part that is wanted, from 0: for long arrays, objects, maps, sets, texts and bytes. */
  readonly offset?: string;
  /** At most so many characters of JSON, about; default 100000. `all`: everything. */
  readonly size?: string;
}

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

/** What can be done to one run. `again` starts one like it. */
export type RunAct = "again" | "cancel" | "terminate" | "retry" | "fork" | "wake" | "delete";

/** What an act takes. Those that say nothing take `{}`. */
export interface ActRequest {
  /** `cancel`, `terminate`: why. */
  readonly reason?: string;
  /** `retry`: `new` gives the step that failed another `stepId`. Default `keep`. */
  readonly keys?: "keep" | "new";
  /** `fork`: the `stepId` from which on it is executed again. Needed. */
  readonly fromStep?: string;
  /** `again`, `fork`: other arguments, as a JSON array. Default: those of the run. */
  readonly args?: readonly unknown[];
  /** `again`: the idempotency key of the new run. Default: none. */
  readonly key?: string;
}

/** What an act did. */
export interface ActResult {
  /** For people, such as `Goes on as wrun_…`. */
  readonly said: string;
  /** The run that was acted on, or that goes on: follow it. */
  readonly runId: string;
}

/** Starts a run. */
export interface StartRequest {
  /** The workflow's id. */
  readonly workflow: string;
  /** As a JSON array. Default `[]`. */
  readonly args?: readonly unknown[];
  readonly key?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The run that was started, or that the key already has. */
export type Started = ActResult;

/** Acts on many runs, a part of them with each request: count them first with `api/counts`, ask, then go on until `cursor` is `null`. */
export interface BulkRequest {
  readonly act: "cancel" | "terminate" | "retry" | "wake" | "delete";
  /** As in a query string: `status=failed&workflow=…`. Without a status: those that the act fits. */
  readonly filter: string;
  readonly reason?: string;
  /** The `cursor` of the answer before. */
  readonly cursor?: string | null;
  /** At most so many runs with this request, 1 to 200. Default 100. */
  readonly limit?: number;
}

/** What was done to a part of the runs. */
export interface BulkResult {
  /** So many runs were acted on. */
  readonly done: number;
  readonly failed: readonly { readonly runId: string; readonly message: string }[];
  /** Go on with it; `null`: there are no more. */
  readonly cursor: string | null;
}

/** Which names, as a query string. */
export interface NamesQuery {
  /** Only those of this run. */
  readonly run?: string;
  /** 1 to 500, default 100. */
  readonly limit?: string;
  readonly cursor?: string;
}

/** A hook that a run waits for. Whoever has the token can deliver to it. */
export interface HookRow {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
  readonly createdAt: number;
  /** It is a webhook: HTTP requests come to it. */
  readonly webhook: boolean;
  readonly metadata: Shown | null;
}

/** One page of hooks. */
export interface HookPage {
  readonly hooks: readonly HookRow[];
  readonly cursor: string | null;
}

/** Delivers a payload to a hook. */
export interface DeliverRequest {
  readonly token: string;
  /** Any JSON; left out: `undefined`. */
  readonly payload?: unknown;
  /** The same key again delivers nothing more. */
  readonly key?: string;
}

/** To whom it was delivered. */
export type Delivered = ActResult;

/** A start's key that its run still has. */
export interface KeyRow {
  readonly key: string;
  readonly workflow: string;
  readonly name: string;
  readonly runId: string;
  readonly createdAt: number;
}

/** One page of keys. */
export interface KeyPage {
  readonly keys: readonly KeyRow[];
  readonly cursor: string | null;
}

/** A lock that a run has. */
export interface LockRow {
  readonly key: string;
  /** How many runs may have it at a time. */
  readonly limit: number;
  readonly holders: readonly { readonly runId: string; readonly fence: number }[];
  readonly waiting: number;
}

/** All locks that runs have; with `?run=`, those of one. */
export interface LockList {
  readonly locks: readonly LockRow[];
}

/** A worker that lives. */
export interface WorkerRow {
  readonly workerId: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Its last sign of life; they come every ten seconds. */
  readonly seenAt: number;
  readonly workflows: readonly string[];
  readonly ok: boolean;
  /** Why it is not, in sentences. */
  readonly reasons: readonly string[];
  readonly heldRuns: number;
  readonly slots: { readonly limit: number; readonly inUse: number; readonly queued: number };
  readonly detached: { readonly count: number; readonly limit: number };
  /** How long the run has been due that is due longest, in ms; `null`: none is. */
  readonly lag: number | null;
}

/** The workers that live. */
export interface WorkerList {
  readonly workers: readonly WorkerRow[];
  readonly now: number;
}

/** Which charts, as a query string. */
export interface ChartQuery {
  /** How far back, such as `1h`, `24h`, `7d`. Default `1h`, at most `30d`. */
  readonly range?: string;
  /** Only runs of this workflow. */
  readonly workflow?: string;
}

/**
 * Columns for charts: each array has one value for each of `times`. Ended runs are read newest first up to a bound; where there are
 * more, each bucket is estimated from the last runs in it, and `estimated` is true. `backlog` and `lag` are what the dashboard saw
 * itself while somebody looked: `null` before.
 */
export interface Charts {
  /** The beginnings of the buckets. */
  readonly times: readonly number[];
  /** The length of a bucket. */
  readonly step: number;
  readonly estimated: boolean;
  /** Runs that ended in each bucket, by status. */
  readonly completed: readonly number[];
  readonly failed: readonly number[];
  readonly cancelled: readonly number[];
  /** From start to end of the runs that ended, the middle one and the slowest twentieth; `null` where none did. */
  readonly tookP50: readonly (number | null)[];
  readonly tookP95: readonly (number | null)[];
  /** From creation to start: how long runs waited for a worker. */
  readonly waitedP50: readonly (number | null)[];
  readonly waitedP95: readonly (number | null)[];
  /** Runs that are pending. */
  readonly backlog: readonly (number | null)[];
  /** How long the run has been due that is due longest. */
  readonly lag: readonly (number | null)[];
  /** Now: runs by status but for those that completed, which would be counted one by one; and the workers. */
  readonly now: {
    readonly at: number;
    readonly counts: Readonly<Record<Exclude<RunStatus, "completed">, number>>;
    readonly workers: number;
    readonly lag: number | null;
    readonly slots: { readonly limit: number; readonly inUse: number; readonly queued: number };
  };
}
