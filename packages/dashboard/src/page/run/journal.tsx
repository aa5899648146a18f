import type { JSX } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import type { EventRow, RunDetail } from "../../protocol.ts";
import { count, timeOfDay } from "../format.ts";
import { Rows } from "../parts/rows.tsx";
import { Trouble } from "../parts/states.tsx";
import { usePhone } from "../parts/width.ts";
import { JournalPages } from "./journal-pages.ts";

/** The journal of a run, event by event. */

const ROW = 30;
const PHONE_ROW = 52;

export function Journal(props: {
  readonly detail: RunDetail;
  /** The run's last event, which may be newer than the detail. */
  readonly lastSeq: number;
  readonly selected: number | null;
  readonly select: (event: EventRow | null) => void;
}): JSX.Element {
  const { detail, lastSeq, selected, select } = props;
  const { run, firstSeq } = detail;
  const phone = usePhone();
  const pages = useMemo(() => new JournalPages(run.runId), [run.runId]);
  const load = useCallback(
    (first: number, last: number) => pages.load(firstSeq + first, Math.min(firstSeq + last, lastSeq)),
    [pages, firstSeq, lastSeq],
  );
  // Read here, so that the rows are drawn anew when some are loaded.
  const version = pages.version.value;
  return (
    <section aria-label="Journal" class="journal" data-version={version}>
      {pages.error.value !== null && (
        <Trouble message={pages.error.value} onRetry={() => pages.load(firstSeq, Math.min(firstSeq + 200, lastSeq))} />
      )}
      <Rows
        as="table"
        label={`Journal of ${count(lastSeq - firstSeq + 1)} events`}
        class="journal-rows"
        count={lastSeq - firstSeq + 1}
        height={phone ? PHONE_ROW : ROW}
        onView={load}
        rowClass={(index) => (firstSeq + index === selected ? "row-selected" : "")}
        head={
          <>
            <div role="columnheader" class="end">
              No.
            </div>
            <div role="columnheader">Time</div>
            <div role="columnheader">Event</div>
            <div role="columnheader">Of</div>
            <div role="columnheader">Value</div>
          </>
        }
        row={(index) => {
          const seq = firstSeq + index;
          return <Cells seq={seq} event={pages.at(seq)} selected={seq === selected} select={select} />;
        }}
      />
    </section>
  );
}

function Cells(props: {
  readonly seq: number;
  readonly event: EventRow | undefined;
  readonly selected: boolean;
  readonly select: (event: EventRow | null) => void;
}): JSX.Element {
  const { seq, event, selected, select } = props;
  if (event === undefined) {
    return (
      <>
        <div role="cell" class="end muted">
          {seq}
        </div>
        <div role="cell" class="muted">
          …
        </div>
      </>
    );
  }
  return (
    <>
      <div role="cell" class="end muted">
        {seq}
      </div>
      <div role="cell" class="cell-time muted">
        {event.at === null ? "–" : timeOfDay(event.at)}
      </div>
      <div role="cell" class="cell-type">
        <button type="button" class={`event-type ${tone(event.type)}`} aria-pressed={selected} onClick={() => select(selected ? null : event)}>
          {event.type}
        </button>
      </div>
      <div role="cell" class="cell-of" title={event.id ?? undefined}>
        {shorten(event.name ?? event.id ?? "")}
      </div>
      <div role="cell" class="cell-value code">
        {event.unreadable === null ? (event.text ?? "") : `cannot be read: ${event.unreadable}`}
      </div>
    </>
  );
}

function shorten(name: string): string {
  return name.split("//").at(-1) || name;
}

function tone(type: string): string {
  if (/failed|damaged|conflict/.test(type)) return "is-failed";
  if (/retrying|cancel/.test(type)) return "is-cancelled";
  if (/completed|received/.test(type)) return "is-completed";
  return "";
}
