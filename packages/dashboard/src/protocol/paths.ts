/** The paths of the API, and what is asked and answered there. */

/** The paths, below the dashboard's own. `:id` is a run's id, in URI encoding. */
export const PATHS = {
  /** GET `Info` */
  info: "api/info",
  /** GET `RunPage`, with a `RunQuery`; POST `StartRequest`, answered by `Started` */
  runs: "api/runs",
  /** GET `Counts`, with the `RunFilterQuery` (without `status`) */
  counts: "api/counts",
  /** GET, server-sent events `LiveRuns`, with a `RunQuery` without `cursor` */
  liveRuns: "api/live/runs",
  /** GET `SearchResult`, with `?q=` */
  search: "api/search",
  /** GET `RunDetail`. With `?since=` a `seq`, its timeline has only what is open or has changed after that event. */
  run: "api/runs/:id",
  /** GET `JournalPage`, with a `JournalQuery` */
  journal: "api/runs/:id/journal",
  /** GET `ValueView`, with a `ValueQuery`: one value of a run, as much of it as is asked for */
  value: "api/runs/:id/value",
  /** GET `RunTree`: the run, the run that started it, and its children */
  tree: "api/runs/:id/tree",
  /** GET, server-sent events `LiveRun` */
  liveRun: "api/live/runs/:id",
  /** GET, server-sent events `StreamChunkView`, with a `StreamQuery` */
  stream: "api/runs/:id/stream",
  /** POST an `ActRequest`, answered by `ActResult`. `:act` is one of `RunAct`. */
  act: "api/runs/:id/:act",
  /** POST `BulkRequest`, answered by `BulkResult` */
  bulk: "api/bulk",
  /** GET `HookPage`, with a `NamesQuery` */
  hooks: "api/hooks",
  /** POST `DeliverRequest`, answered by `Delivered` */
  deliver: "api/hooks/deliver",
  /** GET `KeyPage`, with a `NamesQuery` */
  keys: "api/keys",
  /** GET `LockList` */
  locks: "api/locks",
  /** GET `WorkerList` */
  workers: "api/workers",
  /** GET `Charts`, with a `ChartQuery` */
  charts: "api/charts",
} as const;
