import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { ApiError, EventRow, RunDetail, RunRow, TimelineEntry, ValueView } from "../../protocol.ts";
import { pathOf } from "../api.ts";
import { askToDeliver } from "../deliver.tsx";
import { count } from "../format.ts";
import { mayAct } from "../info.ts";
import { liveState, useLive } from "../live.ts";
import { address, base, parameters } from "../navigation.ts";
import { Empty, Loading, Trouble } from "../parts/states.tsx";
import { Ago } from "../parts/time.tsx";
import { useResource } from "../resource.ts";
import { ErrorBox } from "../value/error.tsx";
import { detailUpdate } from "./detail-update.ts";
import { Difference } from "./divergence.tsx";
import { EntryDetails } from "./entry-details.tsx";
import { EventDetails } from "./event-details.tsx";
import { Journal } from "./journal.tsx";
import { RunHead } from "./run-head.tsx";
import { RunValues } from "./run-values.tsx";
import { Streams } from "./streams.tsx";
import { Tree } from "./tree.tsx";
import { Waterfall } from "./waterfall.tsx";

/** One run: what it did, why it ended, what it waits for. */

/** A run that writes many events is read again so often. */
const RELOAD_EVERY = 1_000;

export function RunPage({ runId }: { readonly runId: string }): JSX.Element {
  const { data, error, reload } = useResource<RunDetail>(pathOf("run", { id: runId }), detailUpdate);
  const row = useSignal<RunRow | null>(null);
  const state = useSignal<ValueView | null>(null);
  const gone = useSignal(false);
  const trouble = useSignal<string | null>(null);
  const reloadSoon = useThrottled(reload);
  useLive(
    pathOf("liveRun", { id: runId }),
    {
      run: (run: RunRow) => {
        row.value = run;
        trouble.value = null;
        const known = data.value?.run;
        if (known !== undefined && (known.seq !== run.seq || known.status !== run.status)) reloadSoon();
      },
      state: (value: ValueView) => {
        state.value = value;
      },
      gone: () => {
        gone.value = true;
      },
      trouble: ({ error: { message } }: ApiError) => {
        trouble.value = message;
      },
    },
    liveState,
  );
  const detail = data.value;
  if (detail === null) {
    return (
      <>
        <div class="page-head">
          <h1>Run {runId}</h1>
        </div>
        {error.value === null ? (
          <Loading what="the run" />
        ) : (
          <Trouble message={error.value} onRetry={reload} />
        )}
      </>
    );
  }
  if (gone.value) {
    return (
      <Empty title={`Run ${runId} has been deleted.`}>
        <a class="button" href={base}>
          All runs
        </a>
      </Empty>
    );
  }
  const shown = state.value === null ? detail : { ...detail, state: state.value };
  return (
    <>
      {error.value !== null && <Trouble message={error.value} onRetry={reload} />}
      {error.value === null && trouble.value !== null && <Trouble message={trouble.value} />}
      <LoadedRun run={row.value ?? detail.run} detail={shown} />
    </>
  );
}

function useThrottled(act: () => void): () => void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const last = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    clearTimeout(timer.current);
    const wait = Math.max(0, last.current + RELOAD_EVERY - performance.now());
    timer.current = setTimeout(() => {
      last.current = performance.now();
      act();
    }, wait);
  }, [act]);
}

type Tab = "timeline" | "journal" | "streams" | "tree";

function LoadedRun({ run, detail }: { readonly run: RunRow; readonly detail: RunDetail }): JSX.Element {
  const wanted = parameters.value.get("tab");
  const tab: Tab = wanted === "journal" || wanted === "streams" || wanted === "tree" ? wanted : "timeline";
  const [entrySeq, setEntry] = useState<number | null>(null);
  const [event, setEvent] = useState<EventRow | null>(null);
  const entry = detail.timeline.find(({ seq }) => seq === entrySeq);
  const closeEntry = (): void => closing(setEntry);
  const closeEvent = (): void => closing(setEvent);
  return (
    <>
      <RunHead run={run} detail={detail} />
      {detail.divergence !== null && <Difference runId={run.runId} divergence={detail.divergence} />}
      {detail.error !== null && detail.divergence === null && (
        <ErrorBox title={run.status === "cancelled" ? "Cancelled" : "Failed"} error={detail.error} />
      )}
      <WaitsFor detail={detail} />
      <Tabs run={run} tab={tab} detail={detail} />
      {tab === "tree" && <Tree runId={run.runId} />}
      {tab === "streams" && <Streams detail={detail} />}
      {tab === "timeline" && (
        <div class="beside">
          <Waterfall
            detail={detail}
            selected={entrySeq}
            select={(chosen: TimelineEntry | null) => setEntry(chosen?.seq ?? null)}
          />
          {entry === undefined ? (
            <RunValues detail={detail} />
          ) : (
            <EntryDetails detail={detail} entry={entry} close={closeEntry} />
          )}
        </div>
      )}
      {tab === "journal" && (
        <div class={event === null ? "" : "beside"}>
          <Journal
            detail={detail}
            lastSeq={Math.max(run.seq, detail.run.seq)}
            selected={event?.seq ?? null}
            select={setEvent}
          />
          {event !== null && <EventDetails run={run} event={event} close={closeEvent} />}
        </div>
      )}
    </>
  );
}

/** The focus goes back to the row that was chosen. */
function closing(set: (nothing: null) => void): void {
  const row = document.querySelector<HTMLElement>(".row [aria-pressed=true]");
  set(null);
  row?.focus({ preventScroll: true });
}

function Tabs(props: { readonly run: RunRow; readonly tab: Tab; readonly detail: RunDetail }): JSX.Element {
  const { run, tab, detail } = props;
  const tabs: readonly { readonly name: Tab; readonly title: string; readonly number: number | null }[] = [
    { name: "timeline", title: "Timeline", number: null },
    { name: "journal", title: "Journal", number: run.seq - detail.firstSeq + 1 },
    { name: "streams", title: "Streams", number: detail.streams.length },
    { name: "tree", title: "Relatives", number: detail.children.length + (run.parent === null ? 0 : 1) },
  ];
  return (
    <nav class="tabs" aria-label="Views of the run">
      {tabs.map(({ name, title, number }) => (
        <a
          key={name}
          href={address({ run: run.runId, tab: name === "timeline" ? null : name })}
          aria-current={name === tab ? "page" : undefined}
        >
          {title}
          {number !== null && number > 0 && <span class="number">{count(number)}</span>}
        </a>
      ))}
    </nav>
  );
}

/** The hooks that the run waits for. */
function WaitsFor({ detail }: { readonly detail: RunDetail }): JSX.Element | null {
  const { hooks } = detail;
  if (hooks.length === 0) return null;
  return (
    <section class="waits-for" aria-label="Hooks that the run waits for">
      <ul>
        {hooks.map((hook) => (
          <li key={hook.token}>
            <span>
              Waits for {hook.webhook ? "webhook" : "hook"} <span class="code">{hook.token}</span>{" "}
              <span class="muted">
                since <Ago at={hook.createdAt} />
              </span>
            </span>
            {mayAct.value && (
              <button type="button" class="button" onClick={() => askToDeliver(hook)}>
                Deliver …
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
