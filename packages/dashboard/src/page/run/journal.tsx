import type { JSX } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import type { EventRow, RunDetail } from "../../protocol.ts";
import { count, shortName, timeOfDay } from "../format.ts";
import { Cell, Column, Rows } from "../parts/rows.tsx";
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
  const labels = useMemo(
    () => new Map(detail.timeline.map(({ id, label }) => [id, label])),
    [detail.timeline],
  );
  // Read here, so that the rows are drawn anew when some are loaded.
  const version = pages.version.value;
  return (
    <section aria-label="Journal" class="journal" data-version={version}>
      {pages.error.value !== null && (
        <Trouble
          message={pages.error.value}
          onRetry={() => pages.load(firstSeq, Math.min(firstSeq + 200, lastSeq))}
        />
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
            <Column class="end">No.</Column>
            <Column>Time</Column>
            <Column>Event</Column>
            <Column>Of</Column>
            <Column>Value</Column>
          </>
        }
        row={(index) => {
          const seq = firstSeq + index;
          return (
            <Cells
              seq={seq}
              event={pages.at(seq)}
              labels={labels}
              selected={seq === selected}
              select={select}
            />
          );
        }}
      />
    </section>
  );
}

function Cells(props: {
  readonly seq: number;
  readonly event: EventRow | undefined;
  /** What steps, hooks and sleeps are called, by their ids. */
  readonly labels: ReadonlyMap<string, string>;
  readonly selected: boolean;
  readonly select: (event: EventRow | null) => void;
}): JSX.Element {
  const { seq, event, labels, selected, select } = props;
  if (event === undefined) {
    return (
      <>
        <Cell class="end muted">{seq}</Cell>
        <Cell class="muted">…</Cell>
      </>
    );
  }
  return (
    <>
      <Cell class="end muted">{seq}</Cell>
      <Cell class="cell-time muted">{event.at === null ? "–" : timeOfDay(event.at)}</Cell>
      <Cell class="cell-type">
        <button
          type="button"
          class={`event-type ${tone(event.type)}`}
          aria-pressed={selected}
          onClick={() => select(selected ? null : event)}
        >
          {event.type}
        </button>
      </Cell>
      <Cell class="cell-of" title={event.id ?? undefined}>
        {labels.get(event.id ?? "") ?? shortName(event.name ?? event.id ?? "")}
      </Cell>
      <Cell class="cell-value code">
        {event.unreadable === null ? (event.text ?? "") : `cannot be read: ${event.unreadable}`}
      </Cell>
    </>
  );
}

function tone(type: string): string {
  if (/failed|damaged|conflict/.test(type)) return "is-failed";
  if (/retrying|cancel/.test(type)) return "is-cancelled";
  if (/completed|received/.test(type)) return "is-completed";
  return "";
}
