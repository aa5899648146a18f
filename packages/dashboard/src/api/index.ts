import { liveRun, liveRuns, liveStream } from "../live/live-routes.ts";
import { PATHS } from "../protocol.ts";
import type { Route } from "../routes.ts";
import { bulk } from "./bulk.ts";
import { charts } from "./charts.ts";
import { info } from "./info.ts";
import { listHooks, listKeys, listLocks, listWorkers } from "./names.ts";
import { readFilter } from "./read-query.ts";
import { runDetail, runTree } from "./run.ts";
import { actOnRun, deliver, startRun } from "./run-acts.ts";
import { runJournal, runValue } from "./run-values.ts";
import { countsOf, listRuns } from "./runs.ts";
import { search } from "./search.ts";

/** The API, path by path. Of two that fit, the first one answers. */
export const api: readonly Route[] = [
  { path: PATHS.info, GET: info },
  { path: PATHS.runs, GET: listRuns, POST: startRun },
  { path: PATHS.counts, GET: ({ store, query }) => countsOf(store, readFilter(query)) },
  { path: PATHS.search, GET: search },
  { path: PATHS.run, GET: runDetail },
  { path: PATHS.journal, GET: runJournal },
  { path: PATHS.value, GET: runValue },
  { path: PATHS.tree, GET: runTree },
  { path: PATHS.stream, GET: liveStream },
  { path: PATHS.act, POST: actOnRun },
  { path: PATHS.bulk, POST: bulk },
  { path: PATHS.hooks, GET: listHooks },
  { path: PATHS.deliver, POST: deliver },
  { path: PATHS.keys, GET: listKeys },
  { path: PATHS.locks, GET: listLocks },
  { path: PATHS.workers, GET: listWorkers },
  { path: PATHS.charts, GET: charts },
  { path: PATHS.liveRuns, GET: liveRuns },
  { path: PATHS.liveRun, GET: liveRun },
];
