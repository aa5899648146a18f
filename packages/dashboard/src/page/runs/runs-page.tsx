import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { ApiError, RunPage, SearchResult } from "../../protocol.ts";
import { get, pathOf } from "../api.ts";
import { counted } from "../format.ts";
import { mayAct } from "../info.ts";
import { liveState, useLive } from "../live.ts";
import { address } from "../navigation.ts";
import { Empty, Loading, Trouble } from "../parts/states.tsx";
import { useEvery, useResource } from "../resource.ts";
import { askForBulk } from "./bulk.tsx";
import { change, filter, isFiltered, queryOf } from "./filter.ts";
import { MoreFilters, Search, StatusFilter } from "./filters.tsx";
import { RunList } from "./run-list.ts";
import { RunRows } from "./run-rows.tsx";

/** All runs: live, filtered, searched. */

/** The rows that the server keeps live, and that one more page has. */
const PAGE = 100;
/** Between two questions for the rows that are seen and that the server does not keep live, in milliseconds. */
const LOOK_AGAIN = 5_000;

export function RunsPage(): JSX.Element {
  const { search } = filter.value;
  return (
    <>
      <div class="page-head">
        <h1>Runs</h1>
        <Search />
      </div>
      {search === "" ? <FilteredRuns /> : <FoundRuns search={search} />}
    </>
  );
}

function FilteredRuns(): JSX.Element {
  const wanted = filter.value;
  const query = { ...queryOf(wanted), limit: PAGE };
  const key = JSON.stringify(query);
  const list = useMemo(
    () => new RunList((cursor) => get<RunPage>(pathOf("runs", {}, { ...query, cursor }))),
    [key],
  );
  useLive(
    pathOf("liveRuns", {}, query),
    {
      page: list.firstPage,
      counts: (counts) => {
        list.counts.value = counts;
      },
      trouble: ({ error }: ApiError) => {
        list.trouble.value = error.message;
      },
    },
    liveState,
  );
  useEvery(LOOK_AGAIN, list.refresh);
  const rows = list.rows.value;
  const trouble = list.trouble.value;
  const damaged = list.damaged.value;
  return (
    <>
      <StatusFilter counts={list.counts.value} />
      <div class="toolbar">
        <MoreFilters />
        {mayAct.value && (
          <button type="button" class="button" onClick={() => askForBulk(wanted)}>
            Act on all of these …
          </button>
        )}
      </div>
      {trouble !== null && <Trouble message={trouble} />}
      {damaged.map(({ runId, message }) => (
        <Trouble key={runId} message={`The store has run ${runId} and cannot read it: ${message}`} />
      ))}
      {rows === null && trouble === null && <Loading what="runs" />}
      {rows?.length === 0 && (isFiltered(wanted) ? <NoneFits /> : <NoRuns />)}
      {rows !== null && rows.length > 0 && (
        <RunRows runs={rows} label="Runs, the newest first" onEnd={list.more} onLook={list.look} />
      )}
    </>
  );
}

function NoneFits(): JSX.Element {
  return (
    <Empty title="No run fits these filters.">
      <button
        type="button"
        class="button"
        onClick={() => change({ statuses: [], workflow: "", attributes: [], parent: "", span: "" })}
      >
        Show all runs
      </button>
    </Empty>
  );
}

function NoRuns(): JSX.Element {
  return (
    <Empty title="There are no runs yet.">
      <p>
        A run appears here as soon as a program starts one: <code>await start(workflow, [args])</code>.
      </p>
    </Empty>
  );
}

function FoundRuns({ search }: { readonly search: string }): JSX.Element {
  const { data, error, reload } = useResource<SearchResult>(pathOf("search", {}, { q: search }));
  const found = data.value;
  if (error.value !== null) return <Trouble message={error.value} onRetry={reload} />;
  if (found === null) return <Loading what="what was found" />;
  return (
    <>
      <p class="found" role="status">
        {counted(found.runs.length, "run")} found for <strong>{search}</strong>.{" "}
        {search.includes("=") && <a href={address({ attribute: search })}>All runs with this attribute</a>}{" "}
        <button type="button" class="text-button" onClick={() => change({ search: "" })}>
          Back to the list
        </button>
      </p>
      {found.runs.length === 0 ? (
        <Empty title="Nothing has this id, key, token, attribute or workflow.">
          <p>
            Ids may be cut short at the end; keys and tokens must be whole. Attributes are searched as{" "}
            <code>name=value</code>.
          </p>
        </Empty>
      ) : (
        <RunRows runs={found.runs} by={found.by} label="Runs that were found" />
      )}
    </>
  );
}
