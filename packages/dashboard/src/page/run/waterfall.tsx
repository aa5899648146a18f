import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { RunDetail, TimelineEntry } from "../../protocol.ts";
import { counted, lengthOf } from "../format.ts";
import { address } from "../navigation.ts";
import { Icon, type IconName } from "../parts/icons.tsx";
import { Rows } from "../parts/rows.tsx";
import { hasEnded } from "../parts/status.tsx";
import { now } from "../parts/time.tsx";
import { usePhone } from "../parts/width.ts";
import { type Bar, barsOf, busyOf, type Piece, wholeOf } from "./bars.ts";
import { evenScale, hidesWork, type Scale, shortenedScale } from "./scale.ts";

/** The waterfall of a run: what it asked for, when it waited for a worker, when it was executed, and how often. */

const ROW = 30;

const ICONS: Readonly<Record<Bar["kind"], IconName>> = {
  run: "runs",
  step: "step",
  wait: "wait",
  hook: "hooks",
  system: "system",
  child: "child",
  lock: "lock",
};

export function Waterfall(props: {
  readonly detail: RunDetail;
  /** The entry whose details are shown. */
  readonly selected: number | null;
  readonly select: (entry: TimelineEntry | null) => void;
}): JSX.Element {
  const { detail, selected, select } = props;
  const { run, timeline, children, timelineUntil } = detail;
  const time = hasEnded(run.status) ? (run.completedAt ?? run.createdAt) : now.value;
  const bars = useMemo(() => barsOf(run, timeline, children, time), [run, timeline, children, time]);
  const whole = wholeOf(run, bars, time);
  const busy = busyOf(bars);
  const mayShorten = hidesWork(whole, busy);
  const [shortened, setShortened] = useState(true);
  const marks = usePhone() ? 2 : 5;
  const scale = mayShorten && shortened ? shortenedScale(whole, busy, marks) : evenScale(whole, marks);
  return (
    <section aria-label="Timeline" class="waterfall">
      <div class="waterfall-legend">
        <Key look="queue" text="queue" />
        <Key look="work" text="execution" />
        <Key look="failed" text="failed attempt" />
        <Key look="retry" text="pause before a retry" />
        <Key look="wait" text="sleep or wait" />
        {mayShorten && (
          <button
            type="button"
            class="text-button"
            aria-pressed={shortened}
            onClick={() => setShortened(!shortened)}
          >
            Idle time drawn shorter
          </button>
        )}
      </div>
      <div class="axis" aria-hidden="true">
        <span class="axis-name">{counted(bars.length - 1, "entry", "entries")}</span>
        <div class="axis-marks bars-scale">
          {scale.marks.map(({ place, time: length, shortened: isShort }) => (
            <span
              key={`${place}`}
              class={isShort ? "axis-gap" : "axis-mark"}
              style={{ left: percent(place) }}
            >
              {isShort ? `⋯ ${lengthOf(length)} ⋯` : lengthOf(length)}
            </span>
          ))}
        </div>
      </div>
      <Rows
        as="list"
        label="What the run asked for, in the order of time"
        count={bars.length}
        height={ROW}
        rowKey={(index) => bars[index]?.key ?? String(index)}
        rowClass={(index) => (isSelected(bars[index], selected) ? "row-selected" : "")}
        row={(index) => {
          const bar = bars[index];
          return bar === undefined ? null : (
            <BarRow bar={bar} scale={scale} selected={isSelected(bar, selected)} select={select} />
          );
        }}
      />
      {timelineUntil !== null && (
        <p class="hint">
          The timeline is made of the journal up to event {timelineUntil}. The journal itself has all of them.
        </p>
      )}
    </section>
  );
}

function isSelected(bar: Bar | undefined, selected: number | null): boolean {
  return bar?.entry != null && bar.entry.seq === selected;
}

function Key({ look, text }: { readonly look: Piece["look"]; readonly text: string }): JSX.Element {
  return (
    <span class="legend">
      <span class={`legend-piece piece-${look}`} aria-hidden="true" />
      {text}
    </span>
  );
}

function BarRow(props: {
  readonly bar: Bar;
  readonly scale: Scale;
  readonly selected: boolean;
  readonly select: (entry: TimelineEntry | null) => void;
}): JSX.Element {
  const { bar, scale, selected, select } = props;
  const content = (
    <>
      <span class="bar-label">
        <Icon name={ICONS[bar.kind]} class={`kind-${bar.kind}`} />
        <span class="bar-text">{bar.label}</span>
        <span class="unseen">
          , {bar.kind}, {bar.outcome},{" "}
        </span>
        {isBad(bar.outcome) && <Icon name="failed" class="is-failed" />}
      </span>
      <span class="bar-track">
        <span class="bars-scale">
          {bar.pieces.map((piece) => (
            <BarPiece key={`${piece.from} ${piece.look}`} piece={piece} scale={scale} />
          ))}
          <BarSays bar={bar} scale={scale} />
        </span>
      </span>
    </>
  );
  if (bar.child !== null) {
    return (
      <a class="bar bar-child" href={address({ run: bar.child.runId })} title={bar.child.runId}>
        {content}
      </a>
    );
  }
  return (
    <button
      type="button"
      class={`bar bar-${bar.kind}`}
      title={bar.label}
      aria-pressed={bar.entry === null ? undefined : selected}
      onClick={() => select(selected ? null : bar.entry)}
    >
      {content}
    </button>
  );
}

function isBad(outcome: string): boolean {
  return outcome === "failed" || outcome === "conflict" || outcome === "diverged";
}

function BarPiece({ piece, scale }: { readonly piece: Piece; readonly scale: Scale }): JSX.Element | null {
  const left = scale.at(piece.from);
  const width = scale.at(piece.to) - left;
  if (piece.to <= piece.from && piece.look === "queue") return null;
  return (
    <span
      class={`piece piece-${piece.look} ${piece.open ? "piece-open" : ""}`}
      style={{ left: percent(left), width: percent(width) }}
    />
  );
}

/** The words stand after the bar, and before it where there is no room. */
function BarSays({ bar, scale }: { readonly bar: Bar; readonly scale: Scale }): JSX.Element {
  const from = scale.at(bar.pieces[0]?.from ?? 0);
  const to = scale.at(bar.pieces.at(-1)?.to ?? 0);
  const isShort = bar.says.length < 10;
  if (to < 0.72 || (isShort && to <= 1) || from < 0.3) {
    const style = to < 0.72 || isShort ? { left: percent(to) } : { right: "0" };
    return (
      <span class="bar-says" style={style}>
        <span class={to < 0.72 || isShort ? "" : "bar-says-over"}>{bar.says}</span>
      </span>
    );
  }
  return (
    <span class="bar-says" style={{ right: `calc(100% - ${percent(from)})` }}>
      {bar.says}
    </span>
  );
}

function percent(place: number): string {
  return `${(place * 100).toFixed(3)}%`;
}
