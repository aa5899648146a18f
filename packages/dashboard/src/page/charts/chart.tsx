import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "../theme.ts";

/** One chart, drawn by uPlot, and the same numbers as a table for those who want to read them. */

/** A line or a row of columns. */
export interface Series {
  readonly name: string;
  /** The custom property with its colour. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly columns?: boolean;
  /** A second way to tell lines apart. */
  readonly dashed?: boolean;
}

export interface ChartProps {
  readonly title: string;
  /** What it says, in a sentence. */
  readonly hint: string;
  /** ms since the epoch */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}

const HEIGHT = 190;
const TABLE_ROWS = 60;

export function Chart({ title, hint, times, series, format }: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [table, setTable] = useState(false);
  const chosen = theme.value;
  const isEmpty = series.every(({ values }) => values.every((value) => value === null || value === 0));
  useEffect(() => {
    const place = box.current;
    if (place === null || table || isEmpty) return;
    const data = [times.map((time) => time / 1_000), ...series.map(({ values }) => [...values])];
    const plot = new uPlot(optionsOf(place, series, format), data as uPlot.AlignedData, place);
    const follow = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
    follow.observe(place);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const redraw = (): void => plot.redraw();
    dark.addEventListener("change", redraw);
    return () => {
      dark.removeEventListener("change", redraw);
      follow.disconnect();
      plot.destroy();
    };
  }, [times, series, table, chosen, isEmpty]);
  return (
    <section class="chart" aria-label={title}>
      <div class="chart-head">
        <h2>{title}</h2>
        <button
          type="button"
          class="text-button"
          aria-pressed={table}
          aria-label={`${title} as a table`}
          onClick={() => setTable(!table)}
        >
          As a table
        </button>
      </div>
      <p class="hint">{hint}</p>
      {isEmpty && !table ? (
        <p class="chart-empty">Nothing in this time.</p>
      ) : table ? (
        <Numbers title={title} times={times} series={series} format={format} />
      ) : (
        <div ref={box} class="chart-box" role="img" aria-label={summaryOf(title, series, format)} />
      )}
    </section>
  );
}

function summaryOf(title: string, series: readonly Series[], format: (value: number) => string): string {
  const parts = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${name}: no values`;
    return `${name}: highest ${format(Math.max(...known))}, last ${format(known.at(-1) ?? 0)}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

function Numbers({ title, times, series, format }: Omit<ChartProps, "hint">): JSX.Element {
  const rows = times.map((time, index) => ({ time, index })).slice(-TABLE_ROWS);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls.
    <section class="chart-table" tabIndex={0} aria-label={`${title}, numbers`}>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">From</th>
            {series.map(({ name }) => (
              <th key={name} scope="col" class="end">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.reverse().map(({ time, index }) => (
            <tr key={time}>
              <th scope="row">{new Date(time).toLocaleString()}</th>
              {series.map(({ name, values }) => {
                const value = values[index] ?? null;
                return (
                  <td key={name} class="end">
                    {value === null ? "–" : format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The colour that a custom property stands for in the theme of now. */
function colourOf(place: HTMLElement, name: string): string {
  place.style.color = `var(${name})`;
  return getComputedStyle(place).color;
}

const DAY = 86_400;
const hours = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const days = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

/** Times of an axis: those of the day, or days where the axis is long. */
function timesOf(splits: readonly number[]): string[] {
  const isLong = (splits.at(-1) ?? 0) - (splits[0] ?? 0) > 1.5 * DAY;
  return splits.map((time) => (isLong ? days : hours).format(time * 1_000));
}

/** Colours are read when they are drawn: a change of the theme needs only another drawing. */
function optionsOf(
  place: HTMLElement,
  series: readonly Series[],
  format: (value: number) => string,
): uPlot.Options {
  const colour = (name: string) => () => colourOf(place, name);
  const axis: uPlot.Axis = {
    stroke: colour("--chart-text"),
    grid: { stroke: colour("--chart-grid"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { live: true },
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, __, highest) => [0, Math.max(1, highest * 1.1)] } },
    axes: [
      { ...axis, size: 26, values: (_, splits) => timesOf(splits) },
      { ...axis, size: 62, values: (_, values) => values.map(format) },
    ],
    series: [
      { value: (_, time) => (time === null ? "–" : new Date(time * 1_000).toLocaleString()) },
      ...series.map(
        ({ name, colour: property, columns = false, dashed = false }): uPlot.Series => ({
          label: name,
          stroke: colour(property),
          width: columns ? 0 : 1.75,
          spanGaps: false,
          points: columns ? { show: false } : { show: true, size: 5, filter: alone },
          value: (_, value) => (value === null ? "–" : format(value)),
          ...(dashed && { dash: [5, 4] }),
          ...(columns && { fill: colour(property), paths: COLUMNS }),
        }),
      ),
    ],
  };
}

/** A value without neighbours is a point: no line goes through it. */
function alone(plot: uPlot, index: number): number[] {
  const values = plot.data[index] ?? [];
  return [...values.keys()].filter(
    (at) => values[at] != null && values[at - 1] == null && values[at + 1] == null,
  );
}

const COLUMNS = uPlot.paths.bars?.({ size: [0.8, 28] }) as uPlot.Series.PathBuilder;
